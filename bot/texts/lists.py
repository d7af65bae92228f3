"""What a member has, and what there is: queue, history, models, defaults, styles."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from bot.dispatcher.forecast import Span, span
from bot.locales import counted, heard, option_name, say
from bot.sentences import english
from bot.texts.made import STATES, facts, prompt_of, title
from bot.texts.signs import MAX_CONTENT, plain, quote, within
from inference.events import ModelInfo
from storage.guilds import Style
from storage.records import JobRecord, JobState, QueuePlace

#: Why a place is what it is.
ORDER = english(
    "-# Next is whoever was served least while others waited, counted in the work that their "
    "models really ran and by the share of their roles. Jobs of one member go in the order asked."
)
MODEL_KINDS = {
    "diffusion": english("checkpoints"),
    "upscaler": english("upscalers"),
    "captioner": english("captioners"),
    "tagger": english("taggers"),
    "ranker": english("rankers"),
    "mask": english("mask networks"),
    "lora": english("LoRAs"),
}
LORA = "lora"


def queue_line(record: JobRecord, place: QueuePlace | None, ready: Span | None = None) -> str:
    """Describe one of a member's jobs in a list: where it stands, behind whom, and until when."""
    if record.state is JobState.RUNNING:
        where = say("stopping") if record.stopping else say(STATES[record.state])
        if record.steps:
            where += ", " + say("step {step} of {steps}", step=record.step, steps=record.steps)
    elif record.state is JobState.QUEUED and place is not None:
        where = say("number {position} in the queue", position=place.position) + _behind(place)
    else:
        note = plain(heard(record.delivery_note or ""), 100)
        where = say(
            "{state}; could not be shown: {note}", state=say(STATES[record.state]), note=note
        )
    if ready is not None:
        where += ", " + say("ready in {span}", span=span(ready))
    asked = say("asked {moment}", moment=f"<t:{int(record.created_at.timestamp())}:R>")
    return f"`{record.id}` **{title(record.kind)}** {where} · {asked}{prompt_of(record, 60)}"


def _behind(place: QueuePlace) -> str:
    """Say whose jobs go first."""
    others = max(0, place.position - 1 - place.own)
    if place.own and others:
        words = say(
            "behind {own} of your own and {others} of other members", own=place.own, others=others
        )
    elif place.own:
        words = say("behind {own} of your own", own=place.own)
    else:
        words = say("behind {others} of other members", others=others) if others else ""
    return f", {words}" if words else ""


def queue(
    lines: Sequence[str], queued: int, running: int, workers_ready: int, *, explain: bool = False
) -> str:
    """Describe the queue to a member; with `explain` also by what rule it is served."""
    workers = counted(workers_ready, "1 worker ready", "{count} workers ready")
    head = say(
        "{running} running, {queued} waiting, {workers}.",
        running=running,
        queued=queued,
        workers=workers if workers_ready else say("no workers ready"),
    )
    own = list(lines) or [say("You have nothing in the queue.")]
    return within(MAX_CONTENT, [head, *own, say(ORDER) if explain else ""])


def history(records: Sequence[JobRecord]) -> str:
    """List a member's jobs that ended, newest first."""
    return within(MAX_CONTENT, [say("**Your last jobs**"), *map(_history_line, records)])


def _history_line(record: JobRecord) -> str:
    moment = f"<t:{int((record.finished_at or record.created_at).timestamp())}:R>"
    what = facts(record) if record.state is JobState.DONE else say(STATES[record.state])
    after = f" · {say('from …{id}', id=record.parent[-4:])}" if record.parent else ""
    line = f"…{record.id[-4:]} **{title(record.kind)}** {moment} · {what}{after}"
    return line + prompt_of(record, 60)


def models(found: Collection[ModelInfo]) -> str:
    """List what the workers can run, kind by kind."""
    kinds: dict[str, list[str]] = {}
    loras = sorted(model.name for model in found if model.kind == LORA)
    others = (model for model in found if model.kind != LORA)
    for model in sorted(others, key=lambda model: (model.kind, model.name.casefold())):
        size = f"× {model.size}" if model.kind == "upscaler" else f"{model.size} px"
        shown = f"`{model.name}`" + (f" {size}" if model.size else "")
        kinds.setdefault(model.kind, []).append(
            shown + (f" – {heard(model.about)}" * bool(model.about))
        )
    if loras:  # last and on one line: there may be very many
        kinds[LORA] = [" ".join(f"`{name}`" for name in loras)]
    lines = [
        line
        for kind, names in kinds.items()
        for line in (f"**{say(MODEL_KINDS.get(kind, kind))}**", *names)
    ]
    return within(MAX_CONTENT, lines or [say("No worker is ready, so nothing can be run now.")])


def defaults(found: Mapping[str, Any]) -> str:
    """Show a member's defaults."""
    lines = [
        f"{option_name(name)}: {quote(str(value), 200)}"
        for name, value in found.items()
        if name not in ("styles", "direct_messages")
    ]
    own = lines or [say("None: Easel's own are taken.")]
    return within(MAX_CONTENT, [say("**Your defaults**"), *own])


def styles(mine: Mapping[str, Style], servers: Iterable[Style]) -> str:
    """List a member's styles and their server's."""
    lines = []
    for head, some in (
        (say("**Yours**"), [*mine.values()]),
        (say("**The server's**"), [*servers]),
    ):
        shown = [f"{quote(one.name, 50)} {quote(one.prompt, 100)}" for one in some]
        lines += [head, *shown] if shown else []
    return within(MAX_CONTENT, lines or [say("There is no style yet: `/style save` makes one.")])
