"""A job's card, from its receipt to its end."""

from __future__ import annotations

from collections.abc import Iterable

from bot.dispatcher.forecast import Span, span
from bot.texts.made import facts, prompt_of, title
from bot.texts.signs import MAX_CONTENT, block, plain, within, worded
from storage.records import JobRecord, JobState, QueuePlace

SHOWN_PROMPT = 300  # characters of a prompt on a card
SHOWN_ANSWER = 1200  # characters of an interrogation's words
BAR = 12  # cells of the progress bar


def received(kind: str) -> str:
    """Say at once that a command has arrived."""
    return f"**{title(kind)}** · reading what you sent …"


def waiting(
    record: JobRecord,
    place: QueuePlace,
    *,
    workers_ready: int,
    notes: Iterable[str] = (),
    ready: Span | None = None,
    price: float | None = None,
) -> str:
    """Say where a new job stands, when it is ready, and what it takes in GPU-seconds."""
    if record.state is JobState.RUNNING:
        where = "Started."
    elif place.position <= 1:
        where = "Next in the queue."
    else:
        where = f"Number {place.position} in the queue, behind {place.position - 1}."
    if not workers_ready:
        where += " No worker is running now; it starts as soon as one is."
    return _card(record, where, _outlook(ready, price), *notes)


def _outlook(ready: Span | None, price: float | None) -> str:
    """Say what is to be expected, small, since it is no promise."""
    said = [f"ready in {span(ready)}"] if ready is not None else []
    if price is not None:
        said.append(f"takes about {round(price, 1) if price < 10 else round(price):g} GPU-seconds")
    return f"-# Going by the last jobs: {', '.join(said)}" if said else ""


def progress(record: JobRecord, step: int, steps: int) -> str:
    """Say how far a running job is."""
    share = min(1.0, step / steps) if steps > 0 else 0.0
    full = round(share * BAR)
    bar = "▰" * full + "▱" * (BAR - full)
    return _card(record, f"{bar} step {step} of {steps}")


def preview(step: int, steps: int) -> str:
    """Describe an unfinished picture for those who do not see it."""
    return f"The unfinished picture at step {step} of {steps}"


def result(record: JobRecord, notes: Iterable[str] = (), origin: str = "") -> str:
    """Say what a finished job made, with what, and after which message (a link)."""
    outcome = record.result or {}
    said = [*map(str, outcome.get("notes", ())), *notes]
    after = f" · [made from this]({origin})" if origin else ""
    answer = _answer(str(outcome.get("text") or ""))
    return _card(record, answer, f"-# {facts(record)}{after}", *said)


def _answer(text: str) -> str:
    """Show words that are the answer: a sentence as a quotation, a table as it is laid out."""
    if "\n" not in text.strip():
        return f"> {plain(text.strip(), SHOWN_ANSWER)}" if text.strip() else ""
    return block(text, SHOWN_ANSWER)


def is_cut(text: str) -> bool:
    """Whether words are too long for a card, so that they should come as a file as well."""
    return len(text) > SHOWN_ANSWER


def failed(record: JobRecord) -> str:
    """Say why a job failed."""
    return _card(record, f"⚠️ {worded(record.error or 'It failed without a reason.', 800)}")


def cancelled(record: JobRecord) -> str:
    """Say that a job was called off."""
    return _card(record, "Cancelled.")


def shown_below(link: str) -> str:
    """Say on a card that can no longer become the result where the result is."""
    return f"It is done: {link}"


def not_cancelled(record: JobRecord) -> str:
    """Say why a job was not cancelled: it is over, or about to show what it has made."""
    if record.stopping and record.state is JobState.RUNNING:
        return (
            f"Stopping {record.kind} `{record.id}`: what it has made so far will be shown. "
            "Cancel it once more to have nothing of it."
        )
    return f"That {record.kind} is already {record.state}."


def incident(number: str) -> str:
    """Apologise for an error of the bot's own."""
    return (
        "Something went wrong on Easel's side. Try again in a moment. "
        f"Its keeper finds the reason in the log under `{number}`."
    )


def _card(record: JobRecord, *lines: str) -> str:
    head = f"**{title(record.kind)}** for <@{record.owner}>{prompt_of(record, SHOWN_PROMPT)}"
    return within(MAX_CONTENT, [head, *lines])
