"""Records, places and errors → sentences. Pure: no Discord, no storage calls, no clock."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.policy import Rules
from inference.events import ModelInfo
from storage.guilds import Change, Style
from storage.records import JobRecord, JobState, QueuePlace

MAX_CONTENT = 2000  # characters of a message
MAX_ALT_TEXT = 1024  # characters of an attachment's description
SHOWN_PROMPT = 300  # characters of a prompt on a card
SHOWN_ANSWER = 1200  # characters of an interrogation's words
BAR = 12  # cells of the progress bar
MODEL = re.compile(r"(?:^|, )Model: ([^,]{1,100})")
"""The checkpoint's name in the last line of a `parameters` text."""


def received(kind: str) -> str:
    """Say at once that a command has arrived."""
    return f"**{kind}** · reading what you sent …"


def waiting(
    record: JobRecord, place: QueuePlace, *, workers_ready: int, notes: Iterable[str] = ()
) -> str:
    """Say where a new job stands."""
    if record.state is JobState.RUNNING:
        where = "Started."
    elif place.position <= 1:
        where = "Next in the queue."
    else:
        where = f"Number {place.position} in the queue, behind {place.position - 1}."
    if not workers_ready:
        where += " No worker is running now; it starts as soon as one is."
    return _card(record, where, *notes)


def progress(record: JobRecord, step: int, steps: int) -> str:
    """Say how far a running job is."""
    share = min(1.0, step / steps) if steps > 0 else 0.0
    full = round(share * BAR)
    bar = "▰" * full + "▱" * (BAR - full)
    return _card(record, f"{bar} step {step} of {steps}")


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


def block(text: str, limit: int | None = None) -> str:
    """Show a stranger's text as it is laid out, bounded."""
    kept = _visible(text).replace("`", "ˋ").strip("\n")
    if limit is not None and len(kept) > limit:
        kept = kept[: limit - 1] + "…"
    return f"```\n{kept}\n```"


def is_cut(text: str) -> bool:
    """Whether words are too long for a card, so that they should come as a file as well."""
    return len(text) > SHOWN_ANSWER


def failed(record: JobRecord) -> str:
    """Say why a job failed."""
    return _card(record, f"⚠️ {plain(record.error or 'It failed without a reason.', 800)}")


def cancelled(record: JobRecord) -> str:
    """Say that a job was called off."""
    return _card(record, "Cancelled.")


def shown_below(link: str) -> str:
    """Say on a card that can no longer become the result where the result is."""
    return f"It is done: {link}"


def facts(record: JobRecord) -> str:
    """List what made a result: its size, seed, steps, time."""
    params, outcome = record.params, record.result or {}
    pictures: Sequence[Mapping[str, Any]] = outcome.get("pictures") or ()
    parts = []
    if pictures:
        parts.append(f"{pictures[0]['width']} × {pictures[0]['height']}")
    parts.extend(_settings(params, _seed(params, pictures)))
    if "sampler" in params and (model := _model(record)):
        parts.append(model)
    if outcome.get("seconds"):
        parts.append(f"{outcome['seconds']:.1f} s")
    return " · ".join(parts) or record.kind


def _settings(params: Mapping[str, Any], seed: int | None) -> list[str]:
    if "upscaler" in params and params.get("mode", "enlarge") == "enlarge":
        return [f"{params['upscaler']} × {params['factor']:g}"]
    if "sampler" not in params:
        return [str(params[name]) for name in ("method",) if name in params]
    parts = [] if seed is None else [f"seed `{seed}`"]
    parts += [
        f"{params['steps']} steps",
        str(params["sampler"]),
        f"guidance {params['guidance']:g}",
    ]
    if "strength" in params:
        parts.append(f"strength {params['strength']:g}")
    return parts


def _model(record: JobRecord) -> str:
    """Name the checkpoint: the one asked for, else the one that the picture says made it."""
    asked = str(record.params.get("model") or "")
    found = MODEL.search(_infotext(record).rpartition("\n")[2])
    return plain(asked or (found[1].strip() if found else ""), 60)


def _infotext(record: JobRecord, number: int = 0) -> str:
    pictures = (record.result or {}).get("pictures") or ()
    return str(pictures[number].get("infotext") or "") if number < len(pictures) else ""


def parameters(record: JobRecord, number: int = 0) -> str:
    """Write all that made a picture, as it is written into its file, and the job's own options."""
    options = "\n".join(f"{name}: {value}" for name, value in sorted(record.params.items()))
    return "\n\n".join(part for part in (_infotext(record, number), options) if part)


def _seed(params: Mapping[str, Any], pictures: Sequence[Mapping[str, Any]]) -> int | None:
    for picture in pictures:
        if picture.get("seed") is not None:
            return int(picture["seed"])
    seed = params.get("seed")
    return seed if isinstance(seed, int) and seed >= 0 else None


def alt_text(record: JobRecord, number: int, of: int) -> str:
    """Describe a result for those who do not see it."""
    which = f"{record.kind}, picture {number} of {of}" if of > 1 else record.kind
    prompt = plain(str(record.params.get("prompt") or ""), MAX_ALT_TEXT)
    return (f"{which}: {prompt}" if prompt else f"Result of {which}")[:MAX_ALT_TEXT]


def queue_line(record: JobRecord, place: QueuePlace | None) -> str:
    """Describe one of a member's jobs in a list."""
    if record.state is JobState.RUNNING:
        steps = f", step {record.step} of {record.steps}" if record.steps else ""
        where = f"running{steps}"
    elif record.state is JobState.QUEUED and place is not None:
        where = f"number {place.position} in the queue"
    else:
        where = f"{record.state}; could not be shown: {plain(record.delivery_note or '', 100)}"
    moment = f"<t:{int(record.created_at.timestamp())}:R>"
    return f"`{record.id}` **{record.kind}** {where} · asked {moment}{_prompt(record, 60)}"


def queue(lines: Sequence[str], queued: int, running: int, workers_ready: int) -> str:
    """Describe the queue to a member."""
    workers = "1 worker" if workers_ready == 1 else f"{workers_ready or 'no'} workers"
    head = f"{running} running, {queued} waiting, {workers} ready."
    own = list(lines) or ["You have nothing in the queue."]
    return _within(MAX_CONTENT, [head, *own])


def history(records: Sequence[JobRecord]) -> str:
    """List a member's jobs that ended, newest first."""
    return _within(MAX_CONTENT, ["**Your last jobs**", *map(_history_line, records)])


def _history_line(record: JobRecord) -> str:
    moment = f"<t:{int((record.finished_at or record.created_at).timestamp())}:R>"
    what = facts(record) if record.state is JobState.DONE else str(record.state)
    after = f" · from …{record.parent[-4:]}" if record.parent else ""
    line = f"…{record.id[-4:]} **{record.kind}** {moment} · {what}{after}"
    return line + _prompt(record, 60)


def models(found: Iterable[ModelInfo]) -> str:
    """List what the workers can run, kind by kind."""
    kinds: dict[str, list[str]] = {}
    for model in sorted(found, key=lambda model: (model.kind, model.name.casefold())):
        size = f"× {model.size}" if model.kind == "upscaler" else f"{model.size} px"
        shown = f"`{model.name}`" + (f" {size}" if model.size else "")
        kinds.setdefault(model.kind, []).append(shown + (f" – {model.about}" * bool(model.about)))
    lines = [line for kind, names in kinds.items() for line in (f"**{kind}**", *names)]
    return _within(MAX_CONTENT, lines or ["No worker is ready, so nothing can be run now."])


def settings(rules: Rules, changes: Iterable[Change]) -> str:
    """Show what a server has set, and who changed it last."""
    lines = [
        "**Easel on this server**",
        "Channels: " + (" ".join(f"<#{id}>" for id in sorted(rules.channels)) or "all"),
        "Roles: " + (" ".join(f"<@&{id}>" for id in sorted(rules.roles)) or "everyone"),
    ]
    ceilings = ("max_steps", "max_megapixels", "max_batch", "max_loops", "max_jobs")
    for name in ceilings:
        value = getattr(rules, name)
        label = name.removeprefix("max_").capitalize()
        lines.append(
            f"{label}: " + ("as the host allows" if value is None else f"at most {value:g}")
        )
    for change in changes:
        moment = f"<t:{int(change.at.timestamp())}:R>"
        before, after = (quote(str(value), 80) for value in (change.before, change.after))
        lines.append(f"-# {moment} <@{change.actor}> {change.subject}: {before} → {after}")
    return _within(MAX_CONTENT, lines)


def defaults(found: Mapping[str, Any]) -> str:
    """Show a member's defaults."""
    lines = [
        f"{name.replace('_', ' ')}: {quote(str(value), 200)}"
        for name, value in found.items()
        if name != "styles"
    ]
    return _within(MAX_CONTENT, ["**Your defaults**", *(lines or ["None: Easel's own are taken."])])


def styles(mine: Mapping[str, Style], servers: Iterable[Style]) -> str:
    """List a member's styles and their server's."""
    lines = []
    for head, some in (("**Yours**", [*mine.values()]), ("**The server's**", [*servers])):
        shown = [f"{quote(one.name, 50)} {quote(one.prompt, 100)}" for one in some]
        lines += [head, *shown] if shown else []
    return _within(MAX_CONTENT, lines or ["There is no style yet: `/style save` makes one."])


def ended(record: JobRecord) -> str:
    """Say that a job can no longer be cancelled."""
    return f"That {record.kind} is already {record.state}."


def incident(number: str) -> str:
    """Apologise for an error of the bot's own."""
    return (
        "Something went wrong on Easel's side. Try again in a moment. "
        f"Its keeper finds the reason in the log under `{number}`."
    )


def plain(text: str, limit: int) -> str:
    """Make a stranger's text harmless: no markdown, no control or direction signs, bounded."""
    kept = "".join(
        sign
        for sign in text
        if sign == "\n" or unicodedata.category(sign) not in ("Cc", "Cf", "Cs")
    )
    if len(kept) > limit:
        kept = kept[: limit - 1] + "…"
    return "".join(f"\\{sign}" if sign in "\\`*_~|>#[]()-" else sign for sign in kept)


def _visible(text: str) -> str:
    return "".join(
        sign
        for sign in text
        if sign == "\n" or unicodedata.category(sign) not in ("Cc", "Cf", "Cs")
    )


def quote(text: str, limit: int) -> str:
    """Show a stranger's text as code on one line, bounded."""
    kept = "".join(" " if sign.isspace() else sign for sign in text)
    kept = "".join(sign for sign in kept if unicodedata.category(sign) not in ("Cc", "Cf", "Cs"))
    kept = kept.replace("`", "ˋ").strip()
    return f"`{kept[: limit - 1] + '…' if len(kept) > limit else kept}`" if kept else ""


def _prompt(record: JobRecord, limit: int) -> str:
    shown = quote(str(record.params.get("prompt") or ""), limit)
    return f" · {shown}" if shown else ""


def _card(record: JobRecord, *lines: str) -> str:
    head = f"**{record.kind}** for <@{record.owner}>{_prompt(record, SHOWN_PROMPT)}"
    return _within(MAX_CONTENT, [head, *lines])


def _within(limit: int, lines: Iterable[str]) -> str:
    text = "\n".join(line for line in lines if line)
    return text if len(text) <= limit else text[: limit - 1] + "…"
