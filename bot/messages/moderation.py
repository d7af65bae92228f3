"""What members read where a result is withheld, and what moderators read."""

from __future__ import annotations

from collections.abc import Sequence

from bot.i18n import translate, translate_notice
from bot.i18n.message import fill_placeholders, gettext_noop
from bot.messages.escaping import (
    MAX_MESSAGE_CHARACTERS,
    escape_error_text,
    inline_code,
    join_limited,
)
from bot.messages.job_status import job_title, summary_line
from storage.moderation import ModerationCase, ScreeningRecord, Verdict
from storage.records import JobRecord

VERDICT_LINES = {
    Verdict.HELD: gettext_noop("⏳ This result waits for a moderator: {reason}."),
    Verdict.BLOCKED: gettext_noop("⛔ This result is not shown: {reason}."),
    Verdict.DELETED: gettext_noop("🗑️ This result is gone: {reason}."),
}


def withheld_card(record: JobRecord, screening: ScreeningRecord) -> str:
    """Say on a card why it shows no picture; the prompt is left out with it."""
    head = translate("**{kind}** for <@{owner}>", kind=job_title(record), owner=record.owner)
    why = translate(
        VERDICT_LINES[screening.verdict],
        reason=escape_error_text(translate_notice(screening.reason), 500),
    )
    return join_limited(MAX_MESSAGE_CHARACTERS, [head, why])


def case_list(open_cases: Sequence[tuple[ModerationCase, JobRecord]]) -> str:
    """List a server's open cases to a moderator."""
    if not open_cases:
        return translate("Nothing waits for a moderator.")
    lines = [_case_line(case, record) for case, record in open_cases]
    help_line = translate(
        "-# `/moderation show` shows one; `/moderation release` lets it be seen, "
        "`/moderation delete` takes it away."
    )
    return join_limited(
        MAX_MESSAGE_CHARACTERS, [translate("**Waiting for a moderator**"), help_line, *lines]
    )


def case_details(case: ModerationCase, record: JobRecord) -> str:
    """Describe one case to a moderator."""
    prompt = inline_code(str(record.params.get("prompt") or ""), 600)
    return join_limited(
        MAX_MESSAGE_CHARACTERS, [_case_line(case, record), prompt, f"-# {summary_line(record)}"]
    )


def _case_line(case: ModerationCase, record: JobRecord) -> str:
    by = translate("reported by <@{by}>", by=case.by) if case.by else translate("held by the check")
    reason = f": {inline_code(case.reason, 200)}" if case.by and case.reason else ""
    moment = f"<t:{int(case.opened_at.timestamp())}:R>"
    what = translate("**{kind}** for <@{owner}>", kind=job_title(record), owner=record.owner)
    return f"`#{case.number}` {what}, {by} {moment}{reason}"


def released_message(record: JobRecord) -> str:
    """Say to the moderator that a result may be seen."""
    return translate(
        "Released: <@{owner}>'s result ({kind}).", kind=job_title(record), owner=record.owner
    )


def deleted_message(record: JobRecord) -> str:
    """Say to the moderator that a result is gone."""
    return translate(
        "Deleted: <@{owner}>'s result ({kind}), from its message and the store.",
        kind=job_title(record),
        owner=record.owner,
    )


def log_withheld(record: JobRecord, screening: ScreeningRecord, link: str) -> str:
    """Tell a log channel that a result was not shown."""
    words = (
        translate(
            "A result of <@{owner}> ({kind}) was held; /moderation list decides: {reason}. {link}"
        )
        if screening.verdict is Verdict.HELD
        else translate("A result of <@{owner}> ({kind}) was not shown: {reason}. {link}")
    )
    reason = translate_notice(screening.reason)
    values = {
        "kind": job_title(record),
        "owner": record.owner,
        "reason": reason,
        "link": link,
    }
    return fill_placeholders(words, values).strip()


def log_reported(record: JobRecord, case: ModerationCase, link: str) -> str:
    """Tell a log channel of a report."""
    reason = f" {inline_code(case.reason, 300)}" if case.reason else ""
    return translate(
        "<@{by}> reported a result of <@{owner}> ({kind}):{reason} {link} "
        "(case `#{number}`, /moderation list decides)",
        by=case.by,
        kind=job_title(record),
        owner=record.owner,
        reason=reason,
        link=link,
        number=case.number,
    )


def log_unchecked() -> str:
    """Tell a log channel that nothing is made or shown, since no picture can be checked."""
    return translate(
        "The picture check does not work, so nothing is made or shown in channels that are not "
        "age-restricted. `/settings nsfw ordinary:unchecked` ends that, or the host's keeper does."
    )


def log_refused(owner: str) -> str:
    """Tell a log channel that somebody asked for what is refused everywhere."""
    return translate(
        "<@{owner}> was refused: the words asked for can be read as a sexual picture of minors.",
        owner=owner,
    )
