"""Make a job of what a picture's file tells, and list what cannot be the same here."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from inference.api.infotext import names
from inference.api.infotext.lora_hashes import with_local_loras
from inference.api.infotext.readers import GenerationInfo
from inference.api.infotext.text import READING_DEFAULTS, UNWRITTEN_VALUES
from inference.api.jobs import ChoiceSpec, ImagineJob, Job, NumberSpec, TextSpec, list_job_options
from inference.api.jobs.names import MAX_SEED
from inference.api.messages import ModelInfo
from inference.api.notices import Notice

#: Keys whose values are numbers of ours, and the options they set.
NUMBER_OPTIONS: Mapping[str, str] = {
    "Steps": "steps",
    "CFG scale": "guidance",
    "Clip skip": "clip_skip",
    "Variation seed": "variation_seed",
    "Variation seed strength": "variation_strength",
    "Noise multiplier": "noise_multiplier",
    "Hires steps": "hires_steps",
    "Hires upscale": "hires_scale",
}
#: Keys that need no word: read elsewhere, or about the file rather than the picture.
UNREPORTED_KEYS = frozenset(
    {
        *NUMBER_OPTIONS,
        "Sampler",
        "Schedule type",
        "Seed",
        "Size",
        "Model",
        "Model hash",
        "Denoising strength",
        "Hires upscaler",
        "Hires resize",
        "Emphasis",
        "RNG",
        "Lora hashes",
        "TI hashes",
        "Hashes",
        "Template",
        "Negative Template",
        "Version",
        "User",
        "Created Date",
        "Seam visibility",
    }
)
#: Values that say that nothing was used.
EMPTY_VALUES = ("None", "none", "Automatic", "False", "0", "0.0")
MAX_NOTES = 12  # things listed one by one
MAX_SHOWN_CHARS = 60  # characters of a stranger's value in a note

_SIZE_PATTERN = re.compile(r"(\d{1,6})x(\d{1,6})")
_HASH_SUFFIX = re.compile(r"\s*\[([0-9a-fA-F]{6,64})\]$")
_FILE_SUFFIX = re.compile(r"\.(?:safetensors|ckpt|pt|pth|bin)$", re.IGNORECASE)


@dataclass(frozen=True)
class ImportedJob:
    """A job like the one that made a picture, and what is not as it was there."""

    job: Job
    notes: tuple[Notice, ...]


def job_from_info(
    info: GenerationInfo,
    models: Iterable[ModelInfo],
    overrides: Mapping[str, Any] | None = None,
    job_type: type[Job] = ImagineJob,
) -> ImportedJob:
    """Make a job of what was told; what is `given` goes before it.

    Raises:
        JobError: something given is impossible.
    """
    model_infos = list(models)
    info, lora_notes = with_local_loras(info, model_infos)
    builder = _JobBuilder(info, job_type)
    builder.read_info(model_infos)
    overrides = dict(overrides or {})
    job = job_type(**{**builder.values, **overrides})
    kept_notes = () if "prompt" in overrides else lora_notes
    return ImportedJob(job, (*kept_notes, *builder.notes_without(overrides)))


class _JobBuilder:
    """One text on its way to a job."""

    def __init__(self, info: GenerationInfo, job_type: type[Job]) -> None:
        self.told = info
        self.values: dict[str, Any] = {}
        self._options = {option.name: option for option in list_job_options(job_type)}
        #: What is not the same, by the option it concerns ("" for none).
        self._notes: list[tuple[str, Notice]] = []

    def read_info(self, models: list[ModelInfo]) -> None:
        """Read everything."""
        self._set_text("prompt", self.told.prompt)
        self._set_text("negative_prompt", self.told.negative)
        for key, name in NUMBER_OPTIONS.items():
            if key in self.told.values:
                self._set_number(name, key, self.told.values[key])
        self._set_seed()
        self._set_size()
        self._set_sampler()
        self._set_strength()
        self._set_choice("emphasis", self.told.values.get("Emphasis"))
        self._set_model(models)
        self._set_rng()
        self._note_unused_values()

    def notes_without(self, overrides: Collection[str]) -> tuple[Notice, ...]:
        """Give what is not the same, without what somebody chose themselves."""
        notes = [note for name, note in self._notes if name not in overrides]
        if len(notes) > MAX_NOTES:
            return (*notes[:MAX_NOTES], Notice("like.more", count=len(notes) - MAX_NOTES))
        return tuple(notes)

    def _add_note(self, note: Notice, option: str = "") -> None:
        self._notes.append((option, note))

    def _set_text(self, name: str, text: str) -> None:
        spec = self._options[name].spec if name in self._options else None
        if not isinstance(spec, TextSpec):
            return
        if len(text) > spec.max_length:
            self._add_note(Notice("like.cut", option=name, most=spec.max_length), name)
        self.values[name] = text[: spec.max_length]

    def _set_number(self, name: str, key: str, text: str) -> None:
        option = self._options.get(name)
        if option is None or not isinstance(option.spec, NumberSpec):
            return
        value = _as_number(text)
        if value is None:
            self._add_note(Notice("like.no_number", key=key, value=_shorten_value(text)), name)
            return
        low, high = option.spec.low, option.spec.high
        clamped_value = min(max(value, low), high)
        if clamped_value != value:
            self._add_note(
                Notice("like.clamped", key=key, value=f"{value:g}", kept=f"{clamped_value:g}"), name
            )
        self.values[name] = int(clamped_value) if option.type is int else float(clamped_value)

    def _set_seed(self) -> None:
        value = _as_number(self.told.values.get("Seed", ""))
        if value is None:
            self._add_note(Notice("like.no_seed"), "seed")
        elif 0 <= value <= MAX_SEED:
            self.values["seed"] = int(value)
        else:
            self._add_note(Notice("like.large_seed", most=MAX_SEED), "seed")

    def _set_size(self) -> None:
        size = _SIZE_PATTERN.fullmatch(self.told.values.get("Size", ""))
        if size:
            self._set_number("width", "width", size[1])
            self._set_number("height", "height", size[2])
        larger = _SIZE_PATTERN.fullmatch(self.told.values.get("Hires resize", ""))
        if size and larger and "hires_scale" in self._options:
            factor = max(
                int(larger[1]) / max(1, int(size[1])), int(larger[2]) / max(1, int(size[2]))
            )
            self._set_number("hires_scale", "Hires resize", f"{factor:.4g}")

    def _set_sampler(self) -> None:
        sampler_name = self.told.values.get("Sampler", "")
        sampler, ending = names.find_sampler(sampler_name)
        if sampler is not None:
            self.values["sampler"] = sampler
        elif sampler_name:
            default = self._options["sampler"].default
            self._add_note(
                Notice("like.no_sampler", sampler=_shorten_value(sampler_name), default=default),
                "sampler",
            )
        schedule_name = self.told.values.get("Schedule type", "")
        schedule = names.find_schedule(schedule_name)
        if schedule is None and schedule_name:
            self._add_note(
                Notice("like.no_schedule", schedule=_shorten_value(schedule_name)), "schedule"
            )
        if schedule in (None, "Automatic") and ending:
            schedule = ending
        if schedule is not None:
            self.values["schedule"] = schedule

    def _set_strength(self) -> None:
        strength = self.told.values.get("Denoising strength")
        hires = self._check_hires()
        if strength is None:
            return
        if hires and "hires_strength" in self._options:
            self._set_number("hires_strength", "Denoising strength", strength)
        elif "strength" in self._options:
            self._set_number("strength", "Denoising strength", strength)
        else:
            self._add_note(Notice("like.from_picture", strength=_shorten_value(strength)))

    def _check_hires(self) -> bool:
        """Read which upscaler a hires fix used, if there was one."""
        values = self.told.values
        upscaler = values.get("Hires upscaler")
        if upscaler is None and "Hires upscale" not in values:
            return False
        if "hires_upscaler" not in self._options:
            self._add_note(Notice("like.no_hires"))
        elif upscaler and not upscaler.lower().startswith("latent"):
            self._add_note(
                Notice("like.hires_upscaler", upscaler=_shorten_value(upscaler)),
                "hires_upscaler",
            )
        return True

    def _set_choice(self, name: str, value: str | None) -> None:
        option = self._options.get(name)
        if option is None or value is None or not isinstance(option.spec, ChoiceSpec):
            return
        if value in option.spec.choices:
            self.values[name] = value
        else:
            self._add_note(
                Notice("like.no_choice", option=name, value=_shorten_value(value)),
                name,
            )

    def _set_model(self, models: list[ModelInfo]) -> None:
        model_name, digest = (
            self.told.values.get("Model", ""),
            self.told.values.get("Model hash", ""),
        )
        if hash_match := _HASH_SUFFIX.search(model_name):
            model_name, digest = model_name[: hash_match.start()], digest or hash_match[1]
        if not model_name and not digest:
            return
        checkpoints = [model for model in models if model.kind == "diffusion"]
        checkpoint = _find_checkpoint(model_name, digest, checkpoints)
        if checkpoint is not None:
            self.values["model"] = checkpoint
            return
        stems = {_checkpoint_stem(model.name): model.name for model in checkpoints}
        near = get_close_matches(_checkpoint_stem(model_name), stems, n=1, cutoff=0.6)
        description = " ".join(
            part for part in (_shorten_value(model_name), f"({digest[:12]})" * bool(digest)) if part
        )
        note = Notice("like.no_checkpoint", name=description)
        if near:
            note = Notice("like.near_checkpoint", name=description, near=stems[near[0]])
        self._add_note(note, "model")

    def _set_rng(self) -> None:
        source = self.told.values.get("RNG", "CPU")
        if source == "GPU":
            source = "NV"  # the same numbers, where the card was Nvidia's
        self._set_choice("rng", source)

    def _note_unused_values(self) -> None:
        """List whatever else was told."""
        for key, value in self.told.values.items():
            usual = READING_DEFAULTS.get(key) == value or UNWRITTEN_VALUES.get(key) == value
            half = key.endswith(("-1", "-2")) and key[:-2] in self.told.values
            if key in UNREPORTED_KEYS or usual or half or value in EMPTY_VALUES:
                continue
            self._add_note(
                Notice("like.left_out", key=_shorten_value(key), value=_shorten_value(value))
            )


def _find_checkpoint(model_name: str, digest: str, checkpoints: list[ModelInfo]) -> str | None:
    """Find a checkpoint by its hash, which is surer, or by its name."""
    wanted_hash = digest.lower().removeprefix("0x")
    for model in checkpoints:
        if (
            model.digest
            and len(wanted_hash) >= len(model.digest)
            and wanted_hash.startswith(model.digest)
        ):
            return model.name
    return next(
        (
            model.name
            for model in checkpoints
            if model_name and _checkpoint_stem(model.name) == _checkpoint_stem(model_name)
        ),
        None,
    )


def _checkpoint_stem(name: str) -> str:
    """Give a checkpoint's name without folder and ending, in small letters."""
    return _FILE_SUFFIX.sub("", name.replace("\\", "/").rpartition("/")[2]).strip().casefold()


def _as_number(text: str) -> float | None:
    try:
        value = float(text[:40])
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _shorten_value(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_SHOWN_CHARS else line[: MAX_SHOWN_CHARS - 1] + "…"
