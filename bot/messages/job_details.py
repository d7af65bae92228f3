"""What made a result: its facts, its parameters, its alternative text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.i18n import choice_name, command_name, translate, translate_notice
from bot.i18n.message import gettext_noop
from bot.messages.escaping import (
    MAX_MESSAGE_CHARACTERS,
    escape_untrusted,
    inline_code,
    join_limited,
)
from inference.api.jobs import Job
from inference.api.notices import Notice
from storage.records import JobRecord, JobState

MAX_ALT_TEXT_CHARACTERS = 1024  # characters of an attachment's description
KIND_TITLES = {"preview": "mask"}  # kinds that members know by another name
STATE_LABELS = {
    JobState.QUEUED: gettext_noop("waiting"),
    JobState.RUNNING: gettext_noop("running"),
    JobState.DONE: gettext_noop("done"),
    JobState.FAILED: gettext_noop("failed"),
    JobState.CANCELLED: gettext_noop("cancelled"),
}
MODEL_PATTERN = re.compile(r"(?:^|, )Model: ([^,]{1,100})")
"""The checkpoint's name in the last line of a `parameters` text."""


def kind_title(kind: str) -> str:
    """Name a kind of job as its command is called."""
    return command_name(KIND_TITLES.get(kind, kind))


def summary_line(record: JobRecord) -> str:
    """List what made a result: its size, seed, steps, time, and its price in GPU-seconds."""
    params, outcome = record.params, record.result or {}
    images: Sequence[Mapping[str, Any]] = outcome.get("pictures") or ()
    parts = []
    if images:
        parts.append(f"{images[0]['width']} × {images[0]['height']}")
    parts.extend(_setting_parts(params, _result_seed(params, images)))
    if "sampler" in params and (model := _model_name(record)):
        parts.append(model)
    if outcome.get("seconds"):
        parts.append(f"{outcome['seconds']:.1f} s")
    if outcome.get("charged"):
        parts.append(translate("GPU {seconds} s", seconds=f"{outcome['charged']:.1f}"))
    return " · ".join(parts) or kind_title(record.kind)


def _setting_parts(params: Mapping[str, Any], seed: int | None) -> list[str]:
    if "upscaler" in params and params.get("mode", "enlarge") == "enlarge":
        return [f"{params['upscaler']} × {params['factor']:g}"]
    if "sampler" not in params:
        return [choice_name(str(params[name])) for name in ("method",) if name in params]
    parts = [] if seed is None else [translate("seed `{seed}`", seed=seed)]
    parts += [
        translate("{steps} steps", steps=params["steps"]),
        str(params["sampler"]),
        translate("guidance {guidance}", guidance=f"{params['guidance']:g}"),
    ]
    if "strength" in params:
        parts.append(translate("strength {strength}", strength=f"{params['strength']:g}"))
    return parts


def _model_name(record: JobRecord) -> str:
    """Name the checkpoint: the one asked for, else the one that the picture says made it."""
    requested_name = str(record.params.get("model") or "")
    name_match = MODEL_PATTERN.search(_image_infotext(record).rpartition("\n")[2])
    return escape_untrusted(requested_name or (name_match[1].strip() if name_match else ""), 60)


def _image_infotext(record: JobRecord, number: int = 0) -> str:
    images = (record.result or {}).get("pictures") or ()
    return str(images[number].get("infotext") or "") if number < len(images) else ""


def parameters_text(record: JobRecord, number: int = 0) -> str:
    """Write all that made a picture, as it is written into its file, and the job's own options."""
    options = "\n".join(f"{name}: {value}" for name, value in sorted(record.params.items()))
    return "\n\n".join(part for part in (_image_infotext(record, number), options) if part)


def imported_job_message(tool: str, job: Job, notes: Sequence[Notice]) -> str:
    """Say what would be run here of a picture made elsewhere, and what would not be the same."""
    params = job.to_params()
    settings_line = " · ".join(
        _setting_parts(params, params["seed"] if params["seed"] >= 0 else None)
    )
    lines = [
        translate(
            "**{kind}**, as told by {tool}: {said}",
            kind=kind_title(job.kind),
            tool=escape_untrusted(tool, 40),
            said=settings_line,
        )
    ]
    lines += [f"- {escape_untrusted(translate_notice(note), 300)}" for note in notes]
    return join_limited(MAX_MESSAGE_CHARACTERS, lines)


def _result_seed(params: Mapping[str, Any], images: Sequence[Mapping[str, Any]]) -> int | None:
    for image in images:
        if image.get("seed") is not None:
            return int(image["seed"])
    seed = params.get("seed")
    return seed if isinstance(seed, int) and seed >= 0 else None


def alt_text(record: JobRecord, number: int, image_count: int, caption: str = "") -> str:
    """Describe a result for those who do not see it: by its caption, else by its prompt."""
    subject = kind_title(record.kind)
    if image_count > 1:
        subject = translate(
            "{kind}, picture {number} of {of}", kind=subject, number=number, of=image_count
        )
    words = escape_untrusted(
        caption or str(record.params.get("prompt") or ""), MAX_ALT_TEXT_CHARACTERS
    )
    return (f"{subject}: {words}" if words else translate("Result of {which}", which=subject))[
        :MAX_ALT_TEXT_CHARACTERS
    ]


def original_kept_note(record: JobRecord) -> str:
    """Say where a picture that was made smaller can be had as it was."""
    return translate(
        "-# The original is kept: `/history job:{id}` shows it where larger files fit.",
        id=record.id,
    )


def sheet_alt_text(record: JobRecord, count: int) -> str:
    """Describe a contact sheet for those who do not see it."""
    sheet = translate("{count} pictures on one sheet, numbered.", count=count)
    return f"{sheet} {alt_text(record, 1, 1)}"[:MAX_ALT_TEXT_CHARACTERS]


def sheet_help(count: int) -> str:
    """Say what the buttons under a contact sheet do."""
    return translate(
        "-# U1 to U{count} show one picture in full; V1 to V{count} make subtle variations of it.",
        count=count,
    )


def prompt_suffix(record: JobRecord, limit: int) -> str:
    """Show a job's prompt after other words, bounded; nothing where it has none."""
    quoted_prompt = inline_code(str(record.params.get("prompt") or ""), limit)
    return f" · {quoted_prompt}" if quoted_prompt else ""
