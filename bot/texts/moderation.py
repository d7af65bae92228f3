"""What members read where a result is withheld, and what moderators read."""

from __future__ import annotations

from collections.abc import Sequence

from bot.texts.made import facts
from bot.texts.signs import MAX_CONTENT, quote, within, worded
from storage.moderation import Case, Screening, Verdict
from storage.records import JobRecord

HEADS = {
    Verdict.HELD: "⏳ This result waits for a moderator:",
    Verdict.BLOCKED: "⛔ This result is not shown:",
    Verdict.DELETED: "🗑️ This result is gone:",
}


def withheld(record: JobRecord, screening: Screening) -> str:
    """Say on a card why it shows no picture; the prompt is left out with it."""
    head = f"**{record.kind}** for <@{record.owner}>"
    return within(
        MAX_CONTENT, [head, f"{HEADS[screening.verdict]} {worded(screening.reason, 500)}."]
    )


def cases(found: Sequence[tuple[Case, JobRecord]]) -> str:
    """List a server's open cases to a moderator."""
    if not found:
        return "Nothing waits for a moderator."
    lines = [_line(case, record) for case, record in found]
    help_line = (
        "-# `/moderation show` shows one; `release` lets it be seen, `delete` takes it away."
    )
    return within(MAX_CONTENT, ["**Waiting for a moderator**", help_line, *lines])


def case(one: Case, record: JobRecord) -> str:
    """Describe one case to a moderator."""
    prompt = quote(str(record.params.get("prompt") or ""), 600)
    return within(MAX_CONTENT, [_line(one, record), prompt, f"-# {facts(record)}"])


def _line(one: Case, record: JobRecord) -> str:
    who = f"reported by <@{one.by}>" if one.by else "held by the check"
    reason = f": {quote(one.reason, 200)}" if one.by and one.reason else ""
    moment = f"<t:{int(one.opened_at.timestamp())}:R>"
    return f"`#{one.number}` **{record.kind}** for <@{record.owner}>, {who} {moment}{reason}"


def log_withheld(record: JobRecord, screening: Screening, link: str) -> str:
    """Tell a log channel that a result was not shown."""
    what = "held; /moderation decides" if screening.verdict is Verdict.HELD else "not shown"
    return f"A {record.kind} of <@{record.owner}> was {what}: {screening.reason}. {link}".strip()


def log_reported(record: JobRecord, one: Case, link: str) -> str:
    """Tell a log channel of a report."""
    reason = f" {quote(one.reason, 300)}" if one.reason else ""
    return (
        f"<@{one.by}> reported a {record.kind} of <@{record.owner}>:{reason} {link} "
        f"(case `#{one.number}`, /moderation decides)"
    )


def log_refused(owner: str) -> str:
    """Tell a log channel that somebody asked for what is refused everywhere."""
    return f"<@{owner}> was refused: the words asked for can be read as a sexual picture of minors."
