"""Make a job of what a picture's file tells, and list what cannot be the same here."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from inference.api.infotext import names
from inference.api.infotext.job_values import (
    HIRES_KEYS,
    HIRES_SIZE_KEYS,
    KEEPS_SIZE_KEY,
    TARGET_SIZE_KEYS,
    read_job_values,
)
from inference.api.infotext.lora_hashes import with_local_loras
from inference.api.infotext.readers import WEB_UI_NAME, GenerationInfo
from inference.api.infotext.text import READING_DEFAULTS, UNWRITTEN_VALUES
from inference.api.jobs import (
    BooleanSpec,
    ChoiceSpec,
    ExplainJob,
    ImagineJob,
    InpaintJob,
    InterrogateJob,
    Job,
    LoopbackJob,
    NumberSpec,
    PreviewJob,
    TextSpec,
    list_job_options,
)
from inference.api.jobs.names import MAX_SEED, count_seed
from inference.api.messages import FACE_RESTORER_KIND, ModelInfo
from inference.api.notices import Notice, format_number

#: Keys whose values are numbers of ours, and the options they set.
NUMBER_OPTIONS: Mapping[str, str] = {
    "Steps": "steps",
    "CFG scale": "guidance",
    "Clip skip": "clip_skip",
    "Variation seed": "variation_seed",
    "Variation seed strength": "variation_strength",
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
        "Emphasis",
        "RNG",
        "Pad conds",
        "Lora hashes",
        "TI hashes",
        "Hashes",
        "Template",
        "Negative Template",
        "Version",
        "User",
        "Created Date",
        "Not followed",
        "Seam score",
        "Seam visibility",
        "Loop",
        "Appended interrogation",
        "Initial denoising strength",
        "Keeps source size",
        "Soft inpainting schedule bias",
        "Soft inpainting preservation strength",
        "Soft inpainting transition contrast boost",
        "Soft inpainting mask influence",
        "Soft inpainting difference threshold",
        "Soft inpainting difference contrast",
    }
)
#: Values that say that nothing was used.
EMPTY_VALUES = (
    "None",
    "none",
    "Automatic",
    "False",
    "0",
    "0.0",
    "Use same checkpoint",
    "Use same choices",
    "Use same sampler",
    "Use same scheduler",
)
#: Options that name what must be here; each is looked for by itself.
NAMED_ELSEWHERE = ("hires_upscaler", "hires_sampler", "hires_schedule", "refiner", "restore_faces")
REFINER_KEYS = {"Refiner", "Refiner switch at"}
#: Kinds that paint nothing: what they have no option for is not missed.
NETWORKLESS_TYPES = (ExplainJob, PreviewJob)
MAX_HIRES_SCALE = 4
TRUE_VALUES = ("true", "yes", "1")
#: Sides of a hires fix, and keys of it that are not done here.
HIRES_SIDES = {"hires_width", "hires_height"}
UNKNOWN_HIRES_KEYS = ("Hires checkpoint", "Hires Module 1", "Hires Distilled CFG Scale")
#: Programs that run a share of the steps over a picture, where they do not say otherwise.
SHARE_OF_STEPS_TOOLS = (WEB_UI_NAME, "InvokeAI", "NovelAI")
MAX_NOTES = 12  # things listed one by one
MAX_SHOWN_CHARS = 60  # characters of a stranger's value in a note

_TOKEN_PATTERN = re.compile(r"\w+|[^\w\s]")
_SIZE_PATTERN = re.compile(r"(\d{1,6})x(\d{1,6})")
_HASH_SUFFIX = re.compile(r"\s*\[([0-9a-fA-F]{6,64})\]$")


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
        self._type = job_type
        self.values: dict[str, Any] = {}
        self._options = {option.name: option for option in list_job_options(job_type)}
        #: What is not the same, by the option it concerns ("" for none).
        self._notes: list[tuple[str, Notice]] = []

    def read_info(self, models: list[ModelInfo]) -> None:
        """Read everything that the kind has an option for."""
        if self._type is InterrogateJob:
            self._add_note(Notice("like.nothing", kind=self._type.kind))
            return
        self._set_text("prompt", self.told.prompt)
        self._set_text("negative_prompt", self.told.negative)
        for key, name in NUMBER_OPTIONS.items():
            if key in self.told.values:
                self._set_number(name, key, self.told.values[key])
        self._set_seed()
        self._set_size()
        self._set_sampler()
        self._set_strength()
        self._note_padding()
        self._set_option("emphasis", "Emphasis", self.told.values.get("Emphasis"))
        self._set_model(models)
        self._set_rng()
        if "Not followed" in self.told.values:
            note = Notice("like.not_followed", names=self.told.values["Not followed"])
            self._add_note(note)
        used_keys = self._set_job_values() - REFINER_KEYS | self._set_refiner(models)
        self._set_hires(models)
        self._set_restorer(models)
        self._set_loopback()
        self._note_unused_values(used_keys)

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

    def _set_option(self, name: str, key: str, text: str | None) -> None:
        """Set an option from a key's text, as far as the kind has it and the text fits it."""
        option = self._options.get(name)
        if option is None or text is None:
            return
        match option.spec:
            case NumberSpec():
                self._set_number(name, key, text)
            case ChoiceSpec():
                self._set_choice(name, text)
            case TextSpec():
                self._set_text(name, text)
            case BooleanSpec():
                self.values[name] = text.strip().casefold() in TRUE_VALUES

    def _set_number(self, name: str, key: str, text: str) -> None:
        option = self._options.get(name)
        if option is None or not isinstance(option.spec, NumberSpec):
            return
        value = _as_number(text)
        if value is None:
            self._add_note(Notice("like.no_number", key=key, value=_shorten_value(text)), name)
            return
        clamped_value = min(max(value, option.spec.low), option.spec.high)
        if clamped_value != value:
            texts = format_number(value), format_number(clamped_value)
            self._add_note(Notice("like.clamped", key=key, value=texts[0], kept=texts[1]), name)
        self.values[name] = int(clamped_value) if option.type is int else float(clamped_value)

    def _set_seed(self) -> None:
        if "seed" not in self._options or self.told.values.keys().isdisjoint({"Steps", "Seed"}):
            return
        value = _as_number(self.told.values.get("Seed", ""))
        if value is None or value < 0:
            self._add_note(Notice("like.no_seed"), "seed")
        elif value > MAX_SEED:
            self._add_note(Notice("like.large_seed", most=MAX_SEED), "seed")
        else:
            self.values["seed"] = int(value)

    def _set_size(self) -> None:
        size = _SIZE_PATTERN.fullmatch(self.told.values.get("Size", ""))
        keeps_size = KEEPS_SIZE_KEY in self.told.values and issubclass(self._type, InpaintJob)
        if size and not keeps_size and not issubclass(self._type, tuple(TARGET_SIZE_KEYS)):
            self._set_number("width", "Size", size[1])
            self._set_number("height", "Size", size[2])

    def _set_job_values(self) -> set[str]:
        """Read what the kind's own options were; return the keys that say it."""
        job_values, used_keys = read_job_values(self.told.values, self._type)
        for name, (key, text) in job_values.items():
            if name not in NAMED_ELSEWHERE:
                self._set_option(name, key, text)
        return used_keys

    def _set_refiner(self, models: list[ModelInfo]) -> set[str]:
        """Read who went on from where; return the keys of what is done here too."""
        name = self.told.values.get("Refiner", "")
        if "refiner" not in self._options or not REFINER_KEYS & self.told.values.keys():
            return set()
        digest = ""
        if hash_match := _HASH_SUFFIX.search(name):
            name, digest = name[: hash_match.start()], hash_match[1]
        checkpoints = [model for model in models if model.kind == "diffusion"]
        refiner = names.find_checkpoint(name, digest, checkpoints) if name else ""
        if refiner is None or "Refiner switch at" not in self.told.values:
            self.values.pop("refiner_switch", None)
            return set()
        self.values["refiner"] = refiner
        return set(REFINER_KEYS)

    def _set_restorer(self, models: list[ModelInfo]) -> None:
        """Read by which network faces were restored, or note that it is not here."""
        name = names.read_restorer(self.told.values)
        if "restore_faces" not in self._options or not name:
            return
        restorer = names.find_restorer(name, models, FACE_RESTORER_KIND)
        self.values["restore_faces"] = restorer or ""
        if restorer is None:
            note = Notice("like.face_restorer", name=_shorten_value(name))
            self._add_note(note, "restore_faces")

    def _set_loopback(self) -> None:
        """Go back from a loop's frame to what the first loop began with."""
        if not issubclass(self._type, LoopbackJob) or "Loop" not in self.told.values:
            return
        values = self.told.values
        key = "Initial denoising strength"
        if key in values:
            self._set_number("strength", key, values[key])
        description = values.get("Appended interrogation", "")
        self._set_text("prompt", self.told.prompt.removesuffix(description).removesuffix(", "))
        loop = _as_number(values["Loop"])
        if loop is not None and "seed" in self.values:
            self.values["seed"] = count_seed(self.values["seed"], 1 - int(loop))

    def _set_sampler(self) -> None:
        if "sampler" not in self._options:
            return
        sampler = self._read_sampler("sampler", "Sampler")
        schedule = self._read_schedule("schedule", "Schedule type")
        values = _with_schedule(sampler, schedule, "sampler", "schedule")
        self.values |= {name: value for name, value in values.items() if name in self._options}
        if not _is_own(self.told):
            for option, other_grids in names.OTHER_GRIDS.items():
                if self.values.get(option) in other_grids:
                    note = Notice("like.other_grid", name=self.values[option])
                    self._add_note(note, option)

    def _read_sampler(self, option: str, key: str) -> tuple[str | None, str | None]:
        """Read a sampler and the schedule that its name may end in, or note that it is not here."""
        name = self.told.values.get(key, "")
        sampler, ending = names.find_sampler(name)
        if sampler is None and name:
            default = self._options["sampler"].default
            note = Notice("like.no_sampler", sampler=_shorten_value(name), default=default)
            self._add_note(note, option)
        if formula := names.find_formula(name):
            note = Notice("like.other_formula", sampler=_shorten_value(name), formula=formula)
            self._add_note(note, option)
        return sampler, ending

    def _read_schedule(self, option: str, key: str) -> str | None:
        name = self.told.values.get(key, "")
        schedule = names.find_schedule(name)
        if schedule is None and name:
            self._add_note(Notice("like.no_schedule", schedule=_shorten_value(name)), option)
        return schedule

    def _set_strength(self) -> None:
        strength = self.told.values.get("Denoising strength")
        if "exact_steps" in self._options and not _is_own(self.told):
            self.values["exact_steps"] = self.told.tool not in SHARE_OF_STEPS_TOOLS
        if strength is None:
            return
        if self._has_hires and "hires_strength" in self._options:
            self._set_number("hires_strength", "Denoising strength", strength)
        elif "strength" in self._options:
            self._set_number("strength", "Denoising strength", strength)
        elif self._type is ImagineJob:
            self._add_note(Notice("like.from_picture", strength=_shorten_value(strength)))

    @property
    def _has_hires(self) -> bool:
        keys = HIRES_SIZE_KEYS if _is_own(self.told) else HIRES_KEYS
        return any(key in self.told.values for key in keys)

    def _set_hires(self, models: list[ModelInfo]) -> None:
        """Read the second pass of a hires fix, if there was one."""
        if "hires_upscaler" not in self._options:
            if self._has_hires and self._type not in NETWORKLESS_TYPES:
                self._add_note(Notice("like.no_hires"))
            return
        self._set_hires_upscaler([model.name for model in models if model.kind == "upscaler"])
        sampler = self._read_sampler("hires_sampler", "Hires sampler")
        schedule = self._read_schedule("hires_schedule", "Hires schedule type")
        self.values |= _with_schedule(sampler, schedule, "hires_sampler", "hires_schedule")
        if not _is_own(self.told):
            self._prefer_hires_scale()
        # One that was as large as the first has no scale to tell it by.
        is_enlarged = self.values.get("hires_scale", 1) > 1 or self.values.keys() & HIRES_SIDES
        if self._has_hires and not is_enlarged:
            self.values |= {
                f"hires_{side}": self.values[side]
                for side in ("width", "height")
                if side in self.values
            }

    def _prefer_hires_scale(self) -> None:
        """Say a second pass's size as a scale, where that comes to the same."""
        sides = [self.values.get(name, 0) for name in ("width", "height")]
        large = [self.values.get(name, 0) for name in ("hires_width", "hires_height")]
        scale = large[0] / sides[0] if sides[0] else 0
        if 1 < scale <= MAX_HIRES_SCALE and large[1] == sides[1] * scale:
            self.values["hires_scale"] = scale
            del self.values["hires_width"], self.values["hires_height"]

    def _set_hires_upscaler(self, upscalers: list[str]) -> None:
        name = self.told.values.get("Hires upscaler", "Latent")
        upscaler = names.find_upscaler(name, upscalers)
        self.values["hires_upscaler"] = upscaler or "latent"
        if upscaler is None:
            note = Notice("like.hires_upscaler", upscaler=_shorten_value(name))
            self._add_note(note, "hires_upscaler")

    def _set_choice(self, name: str, value: str) -> None:
        option = self._options.get(name)
        if option is None or not isinstance(option.spec, ChoiceSpec):
            return
        if value in option.spec.choices:
            self.values[name] = value
        else:
            note = Notice("like.no_choice", option=name, value=_shorten_value(value))
            self._add_note(note, name)

    def _set_model(self, models: list[ModelInfo]) -> None:
        model_name, digest = (
            self.told.values.get("Model", ""),
            self.told.values.get("Model hash", ""),
        )
        if hash_match := _HASH_SUFFIX.search(model_name):
            model_name, digest = model_name[: hash_match.start()], digest or hash_match[1]
        if "model" not in self._options or not (model_name or digest):
            return
        checkpoints = [model for model in models if model.kind == "diffusion"]
        checkpoint = names.find_checkpoint(model_name, digest, checkpoints)
        if checkpoint is not None:
            self.values["model"] = checkpoint
            return
        stems = {names.plain_checkpoint_name(model.name): model.name for model in checkpoints}
        near = get_close_matches(names.plain_checkpoint_name(model_name), stems, n=1, cutoff=0.6)
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
        self._set_option("rng", "RNG", source)

    def _note_padding(self) -> None:
        """Say that the web UI left prompts of different length as they were, where it did."""
        is_web_ui = self.told.tool == WEB_UI_NAME and not _is_own(self.told)
        if not is_web_ui or "guidance" not in self._options or "Pad conds" in self.told.values:
            return
        lengths = [_guess_chunks(text) for text in (self.told.prompt, self.told.negative)]
        if lengths[0] != lengths[1]:
            self._add_note(Notice("like.padded"))

    def _note_unused_values(self, used_keys: Collection[str]) -> None:
        """List whatever else was told."""
        if self._type in NETWORKLESS_TYPES:
            return
        for key, value in self.told.values.items():
            usual = READING_DEFAULTS.get(key) == value or UNWRITTEN_VALUES.get(key) == value
            half = key.endswith(("-1", "-2")) and key[:-2] in self.told.values
            is_hires = key.startswith("Hires ") and key not in UNKNOWN_HIRES_KEYS
            is_known = is_hires or key in UNREPORTED_KEYS or key in used_keys
            is_known = is_known and NUMBER_OPTIONS.get(key, "seed") in self._options
            if is_known or usual or half or value in EMPTY_VALUES:
                continue
            self._add_note(
                Notice("like.left_out", key=_shorten_value(key), value=_shorten_value(value))
            )


def _with_schedule(
    sampler: tuple[str | None, str | None],
    schedule: str | None,
    sampler_option: str,
    schedule_option: str,
) -> dict[str, str]:
    """Give a sampler's and a schedule's options; a schedule in the sampler's name stands in."""
    name, ending = sampler
    if schedule in (None, "Automatic") and ending:
        schedule = ending
    values = {sampler_option: name, schedule_option: schedule}
    return {option: value for option, value in values.items() if value is not None}


def _is_own(info: GenerationInfo) -> bool:
    """Whether Easel itself wrote a text."""
    return info.values.get("Version", "").startswith("Easel")


def _guess_chunks(prompt: str) -> int:
    """Guess how many chunks of 75 tokens a prompt fills, without its checkpoint's tokenizer."""
    return sum(
        max(1, math.ceil(len(_TOKEN_PATTERN.findall(part)) / 75)) for part in prompt.split("BREAK")
    )


def _as_number(text: str) -> int | float | None:
    """Read a number; a whole one of any length exactly."""
    try:
        return int(text[:40])
    except ValueError:
        pass
    try:
        value = float(text[:40])
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _shorten_value(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_SHOWN_CHARS else line[: MAX_SHOWN_CHARS - 1] + "…"
