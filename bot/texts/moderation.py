"""What members read where a result is withheld, and what moderators read."""

from __future__ import annotations

from collections.abc import Sequence

from bot.locales import heard, say
from bot.sentences import english, filled
from bot.texts.made import facts, title
from bot.texts.signs import MAX_CONTENT, quote, within, worded
from storage.moderation import Case, Screening, Verdict
from storage.records import JobRecord

HEADS = {
    Verdict.HELD: english("⏳ This result waits for a moderator: {reason}."),
    Verdict.BLOCKED: english("⛔ This result is not shown: {reason}."),
    Verdict.DELETED: english("🗑️ This result is gone: {reason}."),
}


def withheld(record: JobRecord, screening: Screening) -> str:
    """Say on a card why it shows no picture; the prompt is left out with it."""
    head = say("**{kind}** for <@{owner}>", kind=title(record.kind), owner=record.owner)
    why = say(HEADS[screening.verdict], reason=worded(heard(screening.reason), 500))
    return within(MAX_CONTENT, [head, why])


def cases(found: Sequence[tuple[Case, JobRecord]]) -> str:
    """List a server's open cases to a moderator."""
    if not found:
        return say("Nothing waits for a moderator.")
    lines = [_line(case, record) for case, record in found]
    help_line = say(
        "-# `/moderation show` shows one; `/moderation release` lets it be seen, "
        "`/moderation delete` takes it away."
    )
    return within(MAX_CONTENT, [say("**Waiting for a moderator**"), help_line, *lines])


def case(one: Case, record: JobRecord) -> str:
    """Describe one case to a moderator."""
    prompt = quote(str(record.params.get("prompt") or ""), 600)
    return within(MAX_CONTENT, [_line(one, record), prompt, f"-# {facts(record)}"])


def _line(one: Case, record: JobRecord) -> str:
    by = say("reported by <@{by}>", by=one.by) if one.by else say("held by the check")
    reason = f": {quote(one.reason, 200)}" if one.by and one.reason else ""
    moment = f"<t:{int(one.opened_at.timestamp())}:R>"
    what = say("**{kind}** for <@{owner}>", kind=title(record.kind), owner=record.owner)
    return f"`#{one.number}` {what}, {by} {moment}{reason}"


def released(record: JobRecord) -> str:
    """Say to the moderator that a result may be seen."""
    return say("Released: the {kind} of <@{owner}>.", kind=title(record.kind), owner=record.owner)


def deleted(record: JobRecord) -> str:
    """Say to the moderator that a result is gone."""
    return say(
        "Deleted: the {kind} of <@{owner}>, from its message and the store.",
        kind=title(record.kind),
        owner=record.owner,
    )


def log_withheld(record: JobRecord, screening: Screening, link: str) -> str:
    """Tell a log channel that a result was not shown."""
    words = (
        say("A {kind} of <@{owner}> was held; /moderation list decides: {reason}. {link}")
        if screening.verdict is Verdict.HELD
        else say("A {kind} of <@{owner}> was not shown: {reason}. {link}")
    )
    reason = heard(screening.reason)
    about = {"kind": title(record.kind), "owner": record.owner, "reason": reason, "link": link}
    return filled(words, about).strip()


def log_reported(record: JobRecord, one: Case, link: str) -> str:
    """Tell a log channel of a report."""
    reason = f" {quote(one.reason, 300)}" if one.reason else ""
    return say(
        "<@{by}> reported a {kind} of <@{owner}>:{reason} {link} "
        "(case `#{number}`, /moderation list decides)",
        by=one.by,
        kind=title(record.kind),
        owner=record.owner,
        reason=reason,
        link=link,
        number=one.number,
    )


def log_refused(owner: str) -> str:
    """Tell a log channel that somebody asked for what is refused everywhere."""
    return say(
        "<@{owner}> was refused: the words asked for can be read as a sexual picture of minors.",
        owner=owner,
    )
