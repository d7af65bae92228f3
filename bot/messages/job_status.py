"""A job's card, from its receipt to its end."""

from __future__ import annotations

from collections.abc import Iterable

from bot.dispatcher.estimation import TimeRange, format_range
from bot.i18n import translate, translate_notice
from bot.i18n.message import gettext_noop
from bot.messages.escaping import (
    MAX_MESSAGE_CHARACTERS,
    code_block,
    escape_error_text,
    escape_untrusted,
    join_limited,
)
from bot.messages.job_details import STATE_LABELS, kind_title, prompt_suffix, summary_line
from storage.records import JobRecord, JobState, QueuePlace

MAX_CARD_PROMPT_CHARACTERS = 300  # characters of a prompt on a card
MAX_ANSWER_CHARACTERS = 1200  # characters of an interrogation's words
PROGRESS_BAR_CELLS = 12  # cells of the progress bar
NO_REASON = gettext_noop("It failed without a reason.")


def received_message(kind: str) -> str:
    """Say at once that a command has arrived."""
    return translate("**{kind}** · reading what you sent …", kind=kind_title(kind))


def waiting_card(
    record: JobRecord,
    place: QueuePlace,
    *,
    workers_ready: int,
    notes: Iterable[str] = (),
    ready_span: TimeRange | None = None,
    price: float | None = None,
) -> str:
    """Say where a new job stands, when it is ready, and what it takes in GPU-seconds."""
    if record.state is JobState.RUNNING:
        where = translate("Started.")
    elif place.position <= 1:
        where = translate("Next in the queue.")
    else:
        where = translate(
            "Number {position} in the queue, behind {ahead}.",
            position=place.position,
            ahead=place.position - 1,
        )
    if not workers_ready:
        where += " " + translate("No worker is running now; it starts as soon as one is.")
    return _format_card(
        record, where, _outlook_line(ready_span, price), *map(translate_notice, notes)
    )


def _outlook_line(ready_span: TimeRange | None, price: float | None) -> str:
    """Say what is to be expected, small, since it is no promise."""
    parts = (
        [translate("ready in {span}", span=format_range(ready_span))]
        if ready_span is not None
        else []
    )
    if price is not None:
        seconds = f"{round(price, 1) if price < 10 else round(price):g}"
        parts.append(translate("takes about {seconds} GPU-seconds", seconds=seconds))
    if not parts:
        return ""
    return translate("-# Going by the last jobs: {outlook}", outlook=", ".join(parts))


def progress_card(record: JobRecord, step: int, steps: int) -> str:
    """Say how far a running job is."""
    share = min(1.0, step / steps) if steps > 0 else 0.0
    full = round(share * PROGRESS_BAR_CELLS)
    bar = "▰" * full + "▱" * (PROGRESS_BAR_CELLS - full)
    return _format_card(
        record, f"{bar} " + translate("step {step} of {steps}", step=step, steps=steps)
    )


def preview_alt_text(step: int, steps: int) -> str:
    """Describe an unfinished picture for those who do not see it."""
    return translate("The unfinished picture at step {step} of {steps}", step=step, steps=steps)


def result_card(record: JobRecord, notes: Iterable[str] = (), origin: str = "") -> str:
    """Say what a finished job made, with what, and after which message (a link)."""
    outcome = record.result or {}
    note_lines = [translate_notice(note) for note in (*outcome.get("notes", ()), *notes)]
    origin_note = f" · [{translate('made from this')}]({origin})" if origin else ""
    answer = _answer_block(str(outcome.get("text") or ""))
    return _format_card(record, answer, f"-# {summary_line(record)}{origin_note}", *note_lines)


def _answer_block(text: str) -> str:
    """Show words that are the answer: a sentence as a quotation, a table as it is laid out."""
    if "\n" not in text.strip():
        return f"> {escape_untrusted(text.strip(), MAX_ANSWER_CHARACTERS)}" if text.strip() else ""
    return code_block(text, MAX_ANSWER_CHARACTERS)


def exceeds_card(text: str) -> bool:
    """Whether words are too long for a card, so that they should come as a file as well."""
    return len(text) > MAX_ANSWER_CHARACTERS


def failed_card(record: JobRecord) -> str:
    """Say why a job failed."""
    return _format_card(
        record, f"⚠️ {escape_error_text(translate_notice(record.error or NO_REASON), 800)}"
    )


def cancelled_card(record: JobRecord) -> str:
    """Say that a job was called off."""
    return _format_card(record, translate("Cancelled."))


def shown_below_note(link: str) -> str:
    """Say on a card that can no longer become the result where the result is."""
    return translate("It is done: {link}", link=link)


def not_cancelled_message(record: JobRecord) -> str:
    """Say why a job was not cancelled: it is over, or about to show what it has made."""
    if record.stopping and record.state is JobState.RUNNING:
        return translate(
            "Stopping {kind} `{id}`: what it has made so far will be shown. "
            "Cancel it once more to have nothing of it.",
            kind=kind_title(record.kind),
            id=record.id,
        )
    state = translate(STATE_LABELS[record.state])
    return translate("That {kind} is already {state}.", kind=kind_title(record.kind), state=state)


def cancelled_message(record: JobRecord) -> str:
    """Say in an answer to its owner that a job was cancelled."""
    return translate("Cancelled {kind} `{id}`.", kind=kind_title(record.kind), id=record.id)


def internal_error_message(number: str) -> str:
    """Apologise for an error of the bot's own."""
    return translate(
        "Something went wrong on Easel's side. Try again in a moment. "
        "Its keeper finds the reason in the log under `{number}`.",
        number=number,
    )


def _format_card(record: JobRecord, *lines: str) -> str:
    head = translate("**{kind}** for <@{owner}>", kind=kind_title(record.kind), owner=record.owner)
    return join_limited(
        MAX_MESSAGE_CHARACTERS, [head + prompt_suffix(record, MAX_CARD_PROMPT_CHARACTERS), *lines]
    )
