"""Outpainting mk2 through the engine: side after side, each pass on what the last one made."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from PIL import Image

from inference.engine.work import Ask, Paint, Painted
from inference.jobs import Outpaint
from inference.operations.ground import Ground, lay_ground
from inference.operations.img2img import finished
from inference.operations.outpaint.growth import Growth
from inference.operations.outpaint.poor_mans import Grown
from inference.operations.parameters import paint
from inference.operations.takes import Lists, words
from inference.pictures import masks, mk2
from inference.pictures.mk2 import Pass
from inference.pictures.overlay import composite


@dataclass(frozen=True, eq=False)
class Prepared:
    """One picture of the batch, ready for one pass."""

    #: The pass's whole canvas with the new area begun, `RGB`.
    canvas: Image.Image
    #: What is denoised of it.
    ground: Ground


def repaint(
    job: Outpaint, model: str, growth: Growth, lists: Lists
) -> Generator[Ask, list[Any], list[Grown]]:
    """Paint a canvas for each picture of the batch; the seed goes up by one with each pass.

    Passes of one side are alike: with one seed they would repeat their pattern.
    """
    steps = mk2.passes(growth.source.size, growth.canvas, growth.tile, job.mask_blur)
    pictures = [growth.source] * job.batch
    drawn = [words(job, job.seed + index * len(steps), lists) for index in range(job.batch)]
    first: list[Paint] = []
    for number, step in enumerate(steps):
        prepared = [_prepare(job, picture, step) for picture in pictures]
        works = tuple(
            paint(
                job,
                model,
                one.ground.picture.size,
                **drawn[index] | {"seed": job.seed + index * len(steps) + number},
                **one.ground.fields,
            )
            for index, one in enumerate(prepared)
        )
        first = first or list(works)
        later = (len(steps) - number - 1) * job.steps * job.batch
        results = yield Ask(works=works, later=later)
        pictures = [
            _finish(job, step, one, result) for one, result in zip(prepared, results, strict=True)
        ]
    return list(zip(pictures, first, strict=True))


def _prepare(job: Outpaint, picture: Image.Image, step: Pass) -> Prepared:
    """Begin the new area with matched noise and cut out what is denoised."""
    canvas = mk2.prepare(
        picture, step, fall_off=job.fall_off, colour_variation=job.colour_variation
    )
    blurred = masks.blur(mk2.mask(step.canvas, step.kept), step.blur_x, step.blur_y)
    latent = mk2.mask(step.canvas, step.latent_kept)
    ground = lay_ground(
        canvas.crop(step.crop), blurred.crop(step.crop), "original", latent=latent.crop(step.crop)
    )
    return Prepared(canvas, ground)


def _finish(job: Outpaint, step: Pass, prepared: Prepared, result: Painted) -> Image.Image:
    """Lay the old picture over a pass's result and put it into the canvas."""
    begun = prepared.ground.picture
    overlay = masks.overlay_mask(prepared.ground.mask)
    patch = composite(finished(job, result, begun), begun, overlay)
    return mk2.finish(prepared.canvas, patch, step)
