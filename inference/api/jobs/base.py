"""What every job and its options are: a frozen value, checked, written as JSON and read back.

One declaration of an option bounds the slash command, the command line and the check itself.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import random
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from inference.api.errors import ImageMissing, JobError, OutOfRange, UnknownChoice
from inference.api.jobs import names

SPEC_KEY = "spec"
#: What is said where a value is of another type.
TYPE_CODES = {
    int: "option.whole_number",
    float: "option.number",
    str: "option.text",
    bool: "option.true_or_false",
}


@dataclass(frozen=True)
class NumberSpec:
    """A whole or decimal number between two bounds, both included."""

    text: str
    low: float
    high: float
    unit: str = ""


@dataclass(frozen=True)
class ChoiceSpec:
    """One of a few names."""

    text: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class TextSpec:
    """Free text up to a length in characters."""

    text: str
    max_length: int


@dataclass(frozen=True)
class BooleanSpec:
    """Yes or no."""

    text: str


Spec = NumberSpec | ChoiceSpec | TextSpec | BooleanSpec


def number_field(default: float | None, low: float, high: float, text: str, unit: str = "") -> Any:
    """Declare a number between `low` and `high`; None stands for "decided by the worker"."""
    return dataclasses.field(
        default=default, metadata={SPEC_KEY: NumberSpec(text, low, high, unit)}
    )


def choice_field(default: str, choices: Sequence[str], text: str) -> Any:
    """Declare a name out of `choices`."""
    return dataclasses.field(default=default, metadata={SPEC_KEY: ChoiceSpec(text, tuple(choices))})


def text_field(default: str, max_length: int, text: str) -> Any:
    """Declare free text of at most `max_length` characters."""
    return dataclasses.field(default=default, metadata={SPEC_KEY: TextSpec(text, max_length)})


def boolean_field(default: bool, text: str) -> Any:
    """Declare a switch."""
    return dataclasses.field(default=default, metadata={SPEC_KEY: BooleanSpec(text)})


@dataclass(frozen=True)
class JobOption:
    """One field of a job type as its users see it."""

    name: str
    type: type
    optional: bool
    default: Any
    spec: Spec


def list_job_options(job_type: type) -> tuple[JobOption, ...]:
    """List the options of a job type in the order of their declaration."""
    return _read_options(job_type)


@functools.cache
def _read_options(job_type: Any) -> tuple[JobOption, ...]:
    hints = typing.get_type_hints(job_type)
    return tuple(
        JobOption(item.name, *_unwrap_optional(hints[item.name]), item.default, spec)
        for item in dataclasses.fields(job_type)
        if (spec := item.metadata.get(SPEC_KEY)) is not None
    )


def _unwrap_optional(hint: Any) -> tuple[type, bool]:
    """Split `int | None` into the plain type and whether None is allowed."""
    if isinstance(hint, types.UnionType):
        plain = [part for part in typing.get_args(hint) if part is not type(None)]
        return plain[0], True
    return hint, False


def check_options(job: Any) -> None:
    """Refuse a job one of whose values is impossible.

    Raises:
        JobError: names the field and says what would be possible.
    """
    for option in list_job_options(type(job)):
        value = getattr(job, option.name)
        if value is None and option.optional:
            continue
        _check_type(option, value)
        _check_value(option.name, value, option.spec)


def _check_type(option: JobOption, value: Any) -> None:
    accepted_types = (int, float) if option.type is float else (option.type,)
    wrong_bool = isinstance(value, bool) and option.type is not bool
    if wrong_bool or not isinstance(value, accepted_types):
        raise JobError(option.name, TYPE_CODES[option.type], option=option.name, value=repr(value))


def _check_value(name: str, value: Any, spec: Spec) -> None:
    match spec:
        case NumberSpec():
            if not math.isfinite(value) or not spec.low <= value <= spec.high:
                raise OutOfRange(name, value, spec.low, spec.high)
        case ChoiceSpec() if value not in spec.choices:
            raise UnknownChoice(name, value, spec.choices)
        case TextSpec() if len(value) > spec.max_length:
            raise JobError(
                name, "option.too_long", option=name, count=len(value), most=spec.max_length
            )
        case _:
            pass


@dataclass(frozen=True, kw_only=True)
class Job:
    """One thing that can be asked of the GPU; an impossible one cannot be built."""

    #: The name under which it is stored and called: `img2img`.
    kind: ClassVar[str]
    #: Pictures it cannot do without, by name.
    required_images: ClassVar[tuple[str, ...]] = ()
    #: Pictures it can use besides.
    optional_images: ClassVar[tuple[str, ...]] = ()
    #: Further pictures that a model which edits by instructions looks at, in their order.
    reference_images: ClassVar[tuple[str, ...]] = ()
    #: Whether it can be stopped half-way and still show something.
    supports_early_stop: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_options(self)

    def check_images(self, given_images: Mapping[str, object]) -> None:
        """Refuse to go on without the pictures this kind needs.

        Raises:
            ImageMissing: one of `needs` is not given.
            JobError: a picture is given that this kind has no use for.
        """
        for name in self.required_images:
            if name not in given_images:
                raise ImageMissing(self.kind, name)
        for name in given_images:
            if name not in self.list_image_names():
                raise JobError(name, "image.unused", kind=self.kind, option=name)
            if name in self.reference_images and not getattr(self, "instruct", False):
                raise JobError(name, "edit.needs_instruction", option=name)

    @classmethod
    def list_image_names(cls) -> tuple[str, ...]:
        """Name all pictures that it takes."""
        return cls.required_images + cls.optional_images + cls.reference_images

    @property
    def positive_prompts(self) -> str:
        """Every prompt that says what shall be shown, one below the other."""
        prompts = (getattr(self, name, "") for name in ("prompt", "hires_prompt"))
        return "\n".join(prompt for prompt in prompts if prompt)

    def to_params(self) -> dict[str, Any]:
        """Write the job's fields as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Read a job back from `encode`'s mapping.

        Raises:
            JobError: a field is unknown or its value impossible.
        """
        field_names = {item.name for item in dataclasses.fields(cls)}
        for name in params:
            if name not in field_names:
                raise JobError(name, "option.not_of_kind", kind=cls.kind, name=name)
        return cls(**params)

    def with_seed(self, draw_seed: int) -> Self:
        """Fix what was left to chance, so that every attempt makes the same picture."""
        if getattr(self, "seed", 0) == -1:
            seed_override: dict[str, Any] = {"seed": draw_seed}
            return dataclasses.replace(self, **seed_override)
        return self

    def with_drawn_seed(self) -> Self:
        """Draw the seed that was left to chance, of 32 bits, which every program takes."""
        return self.with_seed(random.randrange(names.DRAWN_SEEDS))


@dataclass(frozen=True, kw_only=True)
class DenoisingJob(Job):
    """The settings every job shares that runs the denoising network."""

    prompt: str = text_field("", 6000, "Prompt: what the picture should show")
    negative_prompt: str = text_field("", 6000, "Negative prompt: what it should not show")
    model: str = text_field("", 100, "Checkpoint: the model; empty for the server's own")
    steps: int = number_field(20, 1, 150, "Sampling steps: how many")
    guidance: float = number_field(7.0, 0.1, 30.0, "CFG scale: how closely to follow the prompt")
    sampler: str = choice_field("Euler a", names.SAMPLER_NAMES, "Sampling method: the sampler")
    schedule: str = choice_field(
        "Automatic", names.SCHEDULE_NAMES, "Schedule type: the noise of each step"
    )
    seed: int = number_field(-1, -1, names.MAX_SEED, "Seed: -1 draws one")
    variation_seed: int = number_field(
        0, 0, names.MAX_SEED, "Variation seed: whose noise is mixed in"
    )
    variation_strength: float = number_field(
        0.0, 0.0, 1.0, "Variation strength: how much of the variation seed's noise"
    )
    seed_delta: int = number_field(
        0, 0, names.MAX_SEED, "ENSD: added to the seed for the noise of later steps"
    )
    seed_resize_width: int | None = number_field(
        None, 64, 8192, "Resize seed from width: take the seed's noise from such a picture", "px"
    )
    seed_resize_height: int | None = number_field(
        None, 64, 8192, "Resize seed from height: take the seed's noise from such a picture", "px"
    )
    guidance_rescale: float = number_field(
        0.0, 0.0, 1.0, "CFG rescale: bring guided colours back to the prompt's own spread"
    )
    extra_noise: float = number_field(
        0.0, 0.0, 1.0, "Extra noise: over a picture, or over a hires fix's first pass"
    )
    clip_skip: int = number_field(
        1, 1, 12, "Clip skip: which of the text encoder's last layers to read"
    )
    force_clip_skip: bool = boolean_field(
        False, "Clip skip on SD 2 and XL, too, which have a layer of their own"
    )
    emphasis: str = choice_field(
        "Original", names.EMPHASIS_MODES, "Emphasis: how weights in brackets act"
    )
    rng: str = choice_field(
        "CPU", names.RNG_NAMES, "RNG: noise as torch draws it, or as Nvidia's cards do, NV"
    )
    batch: int = number_field(1, 1, 8, "Batch size: pictures to make")


@dataclass(frozen=True, kw_only=True)
class EditingJob(DenoisingJob):
    """The settings of jobs that start from a picture."""

    strength: float = number_field(
        0.75, 0.0, 1.0, "Denoising strength: 0 keeps the picture, 1 forgets it"
    )
    exact_steps: bool = boolean_field(True, "Run exactly that many steps, whatever the strength")
    noise_multiplier: float = number_field(
        1.0, 0.0, 1.5, "Noise multiplier: multiplies the noise laid over the picture"
    )
    width: int | None = number_field(None, 64, 2048, "Width: empty for the model's own size", "px")
    height: int | None = number_field(
        None, 64, 2048, "Height: empty for the model's own size", "px"
    )
    resize_mode: str = choice_field(
        "crop and resize", names.RESIZE_MODES, "Resize mode: how to fit the picture"
    )
    colour_correction: bool = boolean_field(
        False, "Colour correction: give the result the source's colours"
    )
