"""A job's card, from its receipt to its end."""

from __future__ import annotations

from collections.abc import Iterable

from bot.dispatcher.forecast import Span, span
from bot.locales import heard, say
from bot.sentences import english
from bot.texts.made import STATES, facts, prompt_of, title
from bot.texts.signs import MAX_CONTENT, block, plain, within, worded
from storage.records import JobRecord, JobState, QueuePlace

SHOWN_PROMPT = 300  # characters of a prompt on a card
SHOWN_ANSWER = 1200  # characters of an interrogation's words
BAR = 12  # cells of the progress bar
NO_REASON = english("It failed without a reason.")


def received(kind: str) -> str:
    """Say at once that a command has arrived."""
    return say("**{kind}** · reading what you sent …", kind=title(kind))


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
        where = say("Started.")
    elif place.position <= 1:
        where = say("Next in the queue.")
    else:
        where = say(
            "Number {position} in the queue, behind {ahead}.",
            position=place.position,
            ahead=place.position - 1,
        )
    if not workers_ready:
        where += " " + say("No worker is running now; it starts as soon as one is.")
    return _card(record, where, _outlook(ready, price), *map(heard, notes))


def _outlook(ready: Span | None, price: float | None) -> str:
    """Say what is to be expected, small, since it is no promise."""
    parts = [say("ready in {span}", span=span(ready))] if ready is not None else []
    if price is not None:
        seconds = f"{round(price, 1) if price < 10 else round(price):g}"
        parts.append(say("takes about {seconds} GPU-seconds", seconds=seconds))
    if not parts:
        return ""
    return say("-# Going by the last jobs: {outlook}", outlook=", ".join(parts))


def progress(record: JobRecord, step: int, steps: int) -> str:
    """Say how far a running job is."""
    share = min(1.0, step / steps) if steps > 0 else 0.0
    full = round(share * BAR)
    bar = "▰" * full + "▱" * (BAR - full)
    return _card(record, f"{bar} " + say("step {step} of {steps}", step=step, steps=steps))


def preview(step: int, steps: int) -> str:
    """Describe an unfinished picture for those who do not see it."""
    return say("The unfinished picture at step {step} of {steps}", step=step, steps=steps)


def result(record: JobRecord, notes: Iterable[str] = (), origin: str = "") -> str:
    """Say what a finished job made, with what, and after which message (a link)."""
    outcome = record.result or {}
    said = [heard(str(note)) for note in (*outcome.get("notes", ()), *notes)]
    after = f" · [{say('made from this')}]({origin})" if origin else ""
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
    return _card(record, f"⚠️ {worded(heard(record.error or NO_REASON), 800)}")


def cancelled(record: JobRecord) -> str:
    """Say that a job was called off."""
    return _card(record, say("Cancelled."))


def shown_below(link: str) -> str:
    """Say on a card that can no longer become the result where the result is."""
    return say("It is done: {link}", link=link)


def not_cancelled(record: JobRecord) -> str:
    """Say why a job was not cancelled: it is over, or about to show what it has made."""
    if record.stopping and record.state is JobState.RUNNING:
        return say(
            "Stopping {kind} `{id}`: what it has made so far will be shown. "
            "Cancel it once more to have nothing of it.",
            kind=title(record.kind),
            id=record.id,
        )
    state = say(STATES[record.state])
    return say("That {kind} is already {state}.", kind=title(record.kind), state=state)


def was_cancelled(record: JobRecord) -> str:
    """Say in an answer to its owner that a job was cancelled."""
    return say("Cancelled {kind} `{id}`.", kind=title(record.kind), id=record.id)


def incident(number: str) -> str:
    """Apologise for an error of the bot's own."""
    return say(
        "Something went wrong on Easel's side. Try again in a moment. "
        "Its keeper finds the reason in the log under `{number}`.",
        number=number,
    )


def _card(record: JobRecord, *lines: str) -> str:
    head = say("**{kind}** for <@{owner}>", kind=title(record.kind), owner=record.owner)
    return within(MAX_CONTENT, [head + prompt_of(record, SHOWN_PROMPT), *lines])
