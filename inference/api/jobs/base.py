"""What every job is: a frozen value that can be written as JSON and read back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from inference.api.errors import ImageMissing, JobError
from inference.api.jobs import names
from inference.api.jobs.fields import (
    boolean_field,
    check_options,
    choice_field,
    number_field,
    text_field,
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One thing that can be asked of the GPU; an impossible one cannot be built."""

    #: The name under which it is stored and called: `img2img`.
    kind: ClassVar[str]
    #: Pictures it cannot do without, by name.
    required_images: ClassVar[tuple[str, ...]] = ()
    #: Pictures it can use besides.
    optional_images: ClassVar[tuple[str, ...]] = ()
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
            if name not in self.required_images + self.optional_images:
                raise JobError(name, "image.unused", kind=self.kind, option=name)

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


@dataclass(frozen=True, kw_only=True)
class DenoisingJob(Job):
    """The settings every job shares that runs the denoising network."""

    prompt: str = text_field("", 6000, "What the picture should show")
    negative_prompt: str = text_field("", 6000, "What it should not show")
    model: str = text_field("", 100, "The checkpoint; empty for the server's own")
    steps: int = number_field(20, 1, 150, "Denoising steps")
    guidance: float = number_field(
        7.0, 1.0, 30.0, "Guidance scale: how closely to follow the prompt"
    )
    sampler: str = choice_field("Euler a", names.SAMPLER_NAMES, "Sampler")
    schedule: str = choice_field("Automatic", names.SCHEDULE_NAMES, "Noise schedule")
    seed: int = number_field(-1, -1, names.MAX_SEED, "Seed; -1 draws one")
    variation_seed: int = number_field(0, 0, names.MAX_SEED, "Variation seed")
    variation_strength: float = number_field(
        0.0, 0.0, 1.0, "How much of the variation seed's noise"
    )
    clip_skip: int = number_field(1, 1, 12, "Which of the text encoder's last layers to read")
    emphasis: str = choice_field("Original", names.EMPHASIS_MODES, "How weights in brackets act")
    rng: str = choice_field(
        "CPU", names.RNG_NAMES, "Noise as torch draws it, or as Nvidia's cards do (NV)"
    )
    batch: int = number_field(1, 1, 8, "Pictures to make")


@dataclass(frozen=True, kw_only=True)
class EditingJob(DenoisingJob):
    """The settings of jobs that start from a picture."""

    strength: float = number_field(
        0.75, 0.0, 1.0, "Denoising strength: 0 keeps the picture, 1 forgets it"
    )
    exact_steps: bool = boolean_field(True, "Run exactly that many steps, whatever the strength")
    noise_multiplier: float = number_field(
        1.0, 0.0, 1.5, "Multiplies the noise laid over the picture"
    )
    width: int | None = number_field(None, 64, 2048, "Width; empty for the model's own size", "px")
    height: int | None = number_field(
        None, 64, 2048, "Height; empty for the model's own size", "px"
    )
    resize_mode: str = choice_field("crop and resize", names.RESIZE_MODES, "How to fit the picture")
    colour_correction: bool = boolean_field(False, "Give the result the source's colours")
