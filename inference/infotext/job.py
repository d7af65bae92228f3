"""Make a job of what a picture's file tells, and list what cannot be the same here."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from inference.events import ModelInfo
from inference.infotext import names
from inference.infotext.text import READING_DEFAULTS, SILENT_VALUES
from inference.infotext.told import Told
from inference.jobs import Choice, Imagine, Job, Number, Words, options
from inference.jobs.names import MAX_SEED

#: Keys whose values are numbers of ours, and the options they set.
NUMBERS: Mapping[str, str] = {
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
QUIET = frozenset(
    {
        *NUMBERS,
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
NOTHING = ("None", "none", "Automatic", "False", "0", "0.0")
MOST = 12  # things listed one by one
SHOWN = 60  # characters of a stranger's value in a note

_SIZE = re.compile(r"(\d{1,6})x(\d{1,6})")
_HASHED = re.compile(r"\s*\[([0-9a-fA-F]{6,64})\]$")
_FILE = re.compile(r"\.(?:safetensors|ckpt|pt|pth|bin)$", re.IGNORECASE)


@dataclass(frozen=True)
class Recalled:
    """A job like the one that made a picture, and what is not as it was there."""

    job: Job
    notes: tuple[str, ...]


def recall(
    told: Told,
    models: Iterable[ModelInfo],
    given: Mapping[str, Any] | None = None,
    job_type: type[Job] = Imagine,
) -> Recalled:
    """Make a job of what was told; what is `given` goes before it.

    Raises:
        JobError: something given is impossible.
    """
    reading = _Reading(told, job_type)
    reading.read(list(models))
    given = dict(given or {})
    job = job_type(**{**reading.values, **given})
    return Recalled(job, reading.said(given))


class _Reading:
    """One text on its way to a job."""

    def __init__(self, told: Told, job_type: type[Job]) -> None:
        self.told = told
        self.values: dict[str, Any] = {}
        self._options = {option.name: option for option in options(job_type)}
        #: What is not the same, by the option it concerns ("" for none).
        self._notes: list[tuple[str, str]] = []

    def read(self, models: list[ModelInfo]) -> None:
        """Read everything."""
        self._words("prompt", self.told.prompt)
        self._words("negative_prompt", self.told.negative)
        for key, name in NUMBERS.items():
            if key in self.told.values:
                self._number(name, key, self.told.values[key])
        self._seed()
        self._size()
        self._sampler()
        self._strength()
        self._choice("emphasis", self.told.values.get("Emphasis"))
        self._model(models)
        self._noise()
        self._rest()

    def said(self, given: Collection[str]) -> tuple[str, ...]:
        """Give what is not the same, without what somebody chose themselves."""
        notes = [words for name, words in self._notes if name not in given]
        if len(notes) > MOST:
            return (*notes[:MOST], f"… and {len(notes) - MOST} more differences.")
        return tuple(notes)

    def _note(self, words: str, option: str = "") -> None:
        self._notes.append((option, words))

    def _words(self, name: str, text: str) -> None:
        spec = self._options[name].spec if name in self._options else None
        if not isinstance(spec, Words):
            return
        if len(text) > spec.max_length:
            self._note(f"Its {_label(name)} was cut to {spec.max_length} characters.", name)
        self.values[name] = text[: spec.max_length]

    def _number(self, name: str, key: str, text: str) -> None:
        option = self._options.get(name)
        if option is None or not isinstance(option.spec, Number):
            return
        value = _as_number(text)
        if value is None:
            self._note(f"Its {key}, “{_short(text)}”, is no number.", name)
            return
        low, high = option.spec.low, option.spec.high
        kept = min(max(value, low), high)
        if kept != value:
            self._note(f"Its {key} is {value:g}; {kept:g} is the nearest possible here.", name)
        self.values[name] = int(kept) if option.type is int else float(kept)

    def _seed(self) -> None:
        value = _as_number(self.told.values.get("Seed", ""))
        if value is None:
            self._note("Its seed is not known: another one is drawn.", "seed")
        elif 0 <= value <= MAX_SEED:
            self.values["seed"] = int(value)
        else:
            self._note(f"Its seed is beyond {MAX_SEED}: another one is drawn.", "seed")

    def _size(self) -> None:
        size = _SIZE.fullmatch(self.told.values.get("Size", ""))
        if size:
            self._number("width", "width", size[1])
            self._number("height", "height", size[2])
        larger = _SIZE.fullmatch(self.told.values.get("Hires resize", ""))
        if size and larger and "hires_scale" in self._options:
            factor = max(
                int(larger[1]) / max(1, int(size[1])), int(larger[2]) / max(1, int(size[2]))
            )
            self._number("hires_scale", "Hires resize", f"{factor:.4g}")

    def _sampler(self) -> None:
        told = self.told.values.get("Sampler", "")
        known, ending = names.sampler(told)
        if known is not None:
            self.values["sampler"] = known
        elif told:
            default = self._options["sampler"].default
            self._note(f"There is no sampler {_short(told)} here: {default} is taken.", "sampler")
        written = self.told.values.get("Schedule type", "")
        schedule = names.schedule(written)
        if schedule is None and written:
            self._note(f"There is no schedule {_short(written)} here.", "schedule")
        if schedule in (None, "Automatic") and ending:
            schedule = ending
        if schedule is not None:
            self.values["schedule"] = schedule

    def _strength(self) -> None:
        strength = self.told.values.get("Denoising strength")
        hires = self._hires()
        if strength is None:
            return
        if hires and "hires_strength" in self._options:
            self._number("hires_strength", "Denoising strength", strength)
        elif "strength" in self._options:
            self._number("strength", "Denoising strength", strength)
        else:
            self._note(
                f"It was made from another picture (strength {_short(strength)}), which its file "
                "does not hold: this one begins from noise."
            )

    def _hires(self) -> bool:
        """Read which upscaler a hires fix used, if there was one."""
        told = self.told.values
        upscaler = told.get("Hires upscaler")
        if upscaler is None and "Hires upscale" not in told:
            return False
        if "hires_upscaler" not in self._options:
            self._note("Its hires fix is left out.")
        elif upscaler and not upscaler.lower().startswith("latent"):
            self._note(
                f"Its hires fix used the upscaler {_short(upscaler)}: here the latent is enlarged.",
                "hires_upscaler",
            )
        return True

    def _choice(self, name: str, value: str | None) -> None:
        option = self._options.get(name)
        if option is None or value is None or not isinstance(option.spec, Choice):
            return
        if value in option.spec.choices:
            self.values[name] = value
        else:
            self._note(f"There is no {_label(name)} {_short(value)} here.", name)

    def _model(self, models: list[ModelInfo]) -> None:
        told, digest = self.told.values.get("Model", ""), self.told.values.get("Model hash", "")
        if hashed := _HASHED.search(told):
            told, digest = told[: hashed.start()], digest or hashed[1]
        if not told and not digest:
            return
        here = [model for model in models if model.kind == "diffusion"]
        found = _find_model(told, digest, here)
        if found is not None:
            self.values["model"] = found
            return
        stems = {_stem(model.name): model.name for model in here}
        near = get_close_matches(_stem(told), stems, n=1, cutoff=0.6)
        hint = f" The nearest name here is {stems[near[0]]}." if near else ""
        called = " ".join(
            part for part in (_short(told), f"({digest[:12]})" * bool(digest)) if part
        )
        words = f"Its checkpoint, {called}, is not here: the server's own is taken.{hint}"
        self._note(words, "model")

    def _noise(self) -> None:
        source = self.told.values.get("RNG", "CPU")
        if source == "GPU":
            source = "NV"  # the same numbers, where the card was Nvidia's
        self._choice("rng", source)

    def _rest(self) -> None:
        """List whatever else was told."""
        for key, value in self.told.values.items():
            usual = READING_DEFAULTS.get(key) == value or SILENT_VALUES.get(key) == value
            half = key.endswith(("-1", "-2")) and key[:-2] in self.told.values
            if key in QUIET or usual or half or value in NOTHING:
                continue
            self._note(f"{_short(key)}: {_short(value)} is left out.")


def _find_model(told: str, digest: str, here: list[ModelInfo]) -> str | None:
    """Find a checkpoint by its hash, which is surer, or by its name."""
    wanted = digest.lower().removeprefix("0x")
    for model in here:
        if model.digest and len(wanted) >= len(model.digest) and wanted.startswith(model.digest):
            return model.name
    return next((model.name for model in here if told and _stem(model.name) == _stem(told)), None)


def _stem(name: str) -> str:
    """Give a checkpoint's name without folder and ending, in small letters."""
    return _FILE.sub("", name.replace("\\", "/").rpartition("/")[2]).strip().casefold()


def _as_number(text: str) -> float | None:
    try:
        value = float(text[:40])
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _label(name: str) -> str:
    return name.replace("_", " ")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
