"""What a member has, and what there is: queue, history, models, defaults, styles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.dispatcher.forecast import Span, span
from bot.texts.made import facts, prompt_of, title
from bot.texts.signs import MAX_CONTENT, plain, quote, within
from inference.events import ModelInfo
from storage.guilds import Style
from storage.records import JobRecord, JobState, QueuePlace

#: Why a place is what it is.
ORDER = (
    "-# Next is whoever was served least while others waited, counted in the work that their "
    "models really ran and by the share of their roles. Jobs of one member go in the order asked."
)


def queue_line(record: JobRecord, place: QueuePlace | None, ready: Span | None = None) -> str:
    """Describe one of a member's jobs in a list: where it stands, behind whom, and until when."""
    if record.state is JobState.RUNNING:
        steps = f", step {record.step} of {record.steps}" if record.steps else ""
        where = f"{'stopping' if record.stopping else 'running'}{steps}"
    elif record.state is JobState.QUEUED and place is not None:
        where = f"number {place.position} in the queue{_behind(place)}"
    else:
        where = f"{record.state}; could not be shown: {plain(record.delivery_note or '', 100)}"
    where += f", ready in {span(ready)}" if ready is not None else ""
    moment = f"<t:{int(record.created_at.timestamp())}:R>"
    return f"`{record.id}` **{title(record.kind)}** {where} · asked {moment}{prompt_of(record, 60)}"


def _behind(place: QueuePlace) -> str:
    """Say whose jobs go first."""
    others = place.position - 1 - place.own
    said = [f"{place.own} of your own"] if place.own else []
    said += [f"{others} of other members"] if others > 0 else []
    return f", behind {' and '.join(said)}" if said else ""


def queue(
    lines: Sequence[str], queued: int, running: int, workers_ready: int, *, explain: bool = False
) -> str:
    """Describe the queue to a member; with `explain` also by what rule it is served."""
    workers = "1 worker" if workers_ready == 1 else f"{workers_ready or 'no'} workers"
    head = f"{running} running, {queued} waiting, {workers} ready."
    own = list(lines) or ["You have nothing in the queue."]
    return within(MAX_CONTENT, [head, *own, ORDER if explain else ""])


def history(records: Sequence[JobRecord]) -> str:
    """List a member's jobs that ended, newest first."""
    return within(MAX_CONTENT, ["**Your last jobs**", *map(_history_line, records)])


def _history_line(record: JobRecord) -> str:
    moment = f"<t:{int((record.finished_at or record.created_at).timestamp())}:R>"
    what = facts(record) if record.state is JobState.DONE else str(record.state)
    after = f" · from …{record.parent[-4:]}" if record.parent else ""
    line = f"…{record.id[-4:]} **{title(record.kind)}** {moment} · {what}{after}"
    return line + prompt_of(record, 60)


def models(found: Iterable[ModelInfo]) -> str:
    """List what the workers can run, kind by kind."""
    kinds: dict[str, list[str]] = {}
    for model in sorted(found, key=lambda model: (model.kind, model.name.casefold())):
        size = f"× {model.size}" if model.kind == "upscaler" else f"{model.size} px"
        shown = f"`{model.name}`" + (f" {size}" if model.size else "")
        kinds.setdefault(model.kind, []).append(shown + (f" – {model.about}" * bool(model.about)))
    lines = [line for kind, names in kinds.items() for line in (f"**{kind}**", *names)]
    return within(MAX_CONTENT, lines or ["No worker is ready, so nothing can be run now."])


def defaults(found: Mapping[str, Any]) -> str:
    """Show a member's defaults."""
    lines = [
        f"{name.replace('_', ' ')}: {quote(str(value), 200)}"
        for name, value in found.items()
        if name not in ("styles", "direct_messages")
    ]
    return within(MAX_CONTENT, ["**Your defaults**", *(lines or ["None: Easel's own are taken."])])


def styles(mine: Mapping[str, Style], servers: Iterable[Style]) -> str:
    """List a member's styles and their server's."""
    lines = []
    for head, some in (("**Yours**", [*mine.values()]), ("**The server's**", [*servers])):
        shown = [f"{quote(one.name, 50)} {quote(one.prompt, 100)}" for one in some]
        lines += [head, *shown] if shown else []
    return within(MAX_CONTENT, lines or ["There is no style yet: `/style save` makes one."])
