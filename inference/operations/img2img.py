"""Img2img: a picture repainted as the prompt says."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from inference.engine.work import Ask, Made, Operation, Outcome, Painted
from inference.jobs import Editing, Img2Img
from inference.operations import sizes
from inference.operations.latents import encoded, enlarged
from inference.operations.parameters import infotext, paint
from inference.operations.studio import Pictures, Studio
from inference.operations.takes import notes_on, takes
from inference.pictures.colour import correct
from inference.pictures.fill import flatten
from inference.pictures.regions import Size
from inference.pictures.resize import ResizeMode, fit


@dataclass(frozen=True, eq=False)
class Beginning:
    """What a repaint begins from."""

    #: `RGB`, the size to denoise at.
    picture: Image.Image
    #: Begun from instead of the picture: [C, h, w] float32, or None.
    latent: torch.Tensor | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a `Paint` that say this."""
        return {"picture": self.picture, "latent": self.latent}


def img2img(job: Img2Img, pictures: Pictures, studio: Studio) -> Operation:
    """Fit the source, paint the job's batch over it."""
    model = studio.library.resolve(job.model)
    source, size = open_source(job, pictures, studio, model)
    beginning = yield from begin(job, model, source, size, later=job.steps * job.batch)
    works = tuple(
        paint(
            job,
            model,
            size,
            **take,
            part=number if job.batch > 1 else None,
            **beginning.fields,
        )
        for number, take in enumerate(takes(job, studio.lists))
    )
    results = yield Ask(works=works)
    traits = studio.library.traits(model)
    return Outcome(
        pictures=tuple(
            Made(
                picture=finished(job, result, beginning.picture),
                seed=work.seed,
                infotext=infotext(work, traits, **{"Color correction": job.colour_correction}),
            )
            for work, result in zip(works, results, strict=True)
        ),
        notes=(*notes_on(works), *sizes.rounded_note((job.width, job.height), size)),
    )


def open_source(
    job: Editing, pictures: Pictures, studio: Studio, model: str
) -> tuple[Image.Image, Size]:
    """Give the source as `RGB` and the size to denoise at.

    Raises:
        JobError: the size is beyond the host's limit.
        PictureError: the picture is too small or fully transparent.
    """
    sizes.check_source(pictures["image"])
    source = flatten(pictures["image"])
    natural = studio.library.natural_size(model)
    size = sizes.target_size(job.width, job.height, source.size, natural)
    sizes.check_pixels(*size, studio.max_pixels)
    if job.resize_mode == ResizeMode.LATENT_UPSCALE:
        sizes.check_pixels(*source.size, studio.max_pixels)
    return source, size


def begin(
    job: Editing, model: str, source: Image.Image, size: Size, later: int
) -> Generator[Ask, list[Any], Beginning]:
    """Bring the source to the size, as the job's resize mode says; `later` units follow.

    A latent upscale encodes the source at its own size and enlarges the latent.
    """
    mode = ResizeMode(job.resize_mode)
    if mode is not ResizeMode.LATENT_UPSCALE:
        return Beginning(fit(source, *size, mode))
    latent = yield from encoded(job, model, source, later)
    return Beginning(fit(source, *size, ResizeMode.JUST_RESIZE), enlarged(latent, size))


def finished(job: Editing, result: Painted, target: Image.Image) -> Image.Image:
    """Give a result's picture, in the target's colours where the job wants that."""
    picture = result.picture or target
    return correct(picture, target) if job.colour_correction else picture
