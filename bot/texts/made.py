"""What made a result: its facts, its parameters, its alternative text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.locales import choice_name, command_name, heard, say
from bot.sentences import english
from bot.texts.signs import MAX_CONTENT, plain, quote, within
from inference.jobs import Job
from storage.records import JobRecord, JobState

MAX_ALT_TEXT = 1024  # characters of an attachment's description
TITLES = {"preview": "mask"}  # kinds that members know by another name
STATES = {
    JobState.QUEUED: english("waiting"),
    JobState.RUNNING: english("running"),
    JobState.DONE: english("done"),
    JobState.FAILED: english("failed"),
    JobState.CANCELLED: english("cancelled"),
}
MODEL = re.compile(r"(?:^|, )Model: ([^,]{1,100})")
"""The checkpoint's name in the last line of a `parameters` text."""


def title(kind: str) -> str:
    """Name a kind of job as its command is called."""
    return command_name(TITLES.get(kind, kind))


def facts(record: JobRecord) -> str:
    """List what made a result: its size, seed, steps, time, and its price in GPU-seconds."""
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
    if outcome.get("charged"):
        parts.append(say("GPU {seconds} s", seconds=f"{outcome['charged']:.1f}"))
    return " · ".join(parts) or title(record.kind)


def _settings(params: Mapping[str, Any], seed: int | None) -> list[str]:
    if "upscaler" in params and params.get("mode", "enlarge") == "enlarge":
        return [f"{params['upscaler']} × {params['factor']:g}"]
    if "sampler" not in params:
        return [choice_name(str(params[name])) for name in ("method",) if name in params]
    parts = [] if seed is None else [say("seed `{seed}`", seed=seed)]
    parts += [
        say("{steps} steps", steps=params["steps"]),
        str(params["sampler"]),
        say("guidance {guidance}", guidance=f"{params['guidance']:g}"),
    ]
    if "strength" in params:
        parts.append(say("strength {strength}", strength=f"{params['strength']:g}"))
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


def recalled(tool: str, job: Job, notes: Sequence[str]) -> str:
    """Say what would be run here of a picture made elsewhere, and what would not be the same."""
    params = job.encode()
    said = " · ".join(_settings(params, params["seed"] if params["seed"] >= 0 else None))
    lines = [
        say(
            "**{kind}**, as told by {tool}: {said}",
            kind=title(job.kind),
            tool=plain(tool, 40),
            said=said,
        )
    ]
    lines += [f"- {plain(heard(note), 300)}" for note in notes]
    return within(MAX_CONTENT, lines)


def _seed(params: Mapping[str, Any], pictures: Sequence[Mapping[str, Any]]) -> int | None:
    for picture in pictures:
        if picture.get("seed") is not None:
            return int(picture["seed"])
    seed = params.get("seed")
    return seed if isinstance(seed, int) and seed >= 0 else None


def alt_text(record: JobRecord, number: int, of: int, caption: str = "") -> str:
    """Describe a result for those who do not see it: by its caption, else by its prompt."""
    which = title(record.kind)
    if of > 1:
        which = say("{kind}, picture {number} of {of}", kind=which, number=number, of=of)
    words = plain(caption or str(record.params.get("prompt") or ""), MAX_ALT_TEXT)
    return (f"{which}: {words}" if words else say("Result of {which}", which=which))[:MAX_ALT_TEXT]


def kept_original(record: JobRecord) -> str:
    """Say where a picture that was made smaller can be had as it was."""
    return say(
        "-# The original is kept: `/history job:{id}` shows it where larger files fit.",
        id=record.id,
    )


def sheet_alt_text(record: JobRecord, count: int) -> str:
    """Describe a contact sheet for those who do not see it."""
    sheet = say("{count} pictures on one sheet, numbered.", count=count)
    return f"{sheet} {alt_text(record, 1, 1)}"[:MAX_ALT_TEXT]


def sheet_help(count: int) -> str:
    """Say what the buttons under a contact sheet do."""
    return say(
        "-# U1 to U{count} show one picture in full; V1 to V{count} make subtle variations of it.",
        count=count,
    )


def prompt_of(record: JobRecord, limit: int) -> str:
    """Show a job's prompt after other words, bounded; nothing where it has none."""
    shown = quote(str(record.params.get("prompt") or ""), limit)
    return f" · {shown}" if shown else ""
