"""Poor man's outpainting through the engine: every tile with something new in it is one run."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from PIL import Image

from inference.engine.work import Ask, Paint, Painted
from inference.jobs import Outpaint
from inference.models.diffusion import CELL
from inference.operations.ground import STARTS, Ground
from inference.operations.img2img import finished
from inference.operations.outpaint.growth import Growth
from inference.operations.parameters import paint
from inference.operations.takes import Lists, words
from inference.pictures import masks, poor_mans
from inference.pictures.fill import fill
from inference.pictures.overlay import composite
from inference.pictures.poor_mans import PoorMansPlan
from inference.pictures.regions import Box, Size

#: A painted canvas and the first of the works that made it.
Grown = tuple[Image.Image, Paint]


def repaint(
    job: Outpaint, model: str, growth: Growth, lists: Lists
) -> Generator[Ask, list[Any], list[Grown]]:
    """Paint a canvas for each picture of the batch; no tile waits for another.

    The seed goes up by one with each run. The masked content is put under the whole canvas, not
    tile by tile: a tile with nothing but new area in it still begins with the source's colours.
    """
    amounts = growth.amounts
    overlap = max(amounts.left, amounts.right, amounts.up, amounts.down)
    plan = poor_mans.plan(growth.source, growth.canvas, growth.tile, overlap, job.mask_blur)
    grounds = _grounds(job, plan)
    runs = len(grounds)
    firsts = [job.seed + number * runs for number in range(job.batch)]
    works = tuple(
        paint(job, model, ground.picture.size, **drawn | {"seed": first + index}, **ground.fields)
        for first in firsts
        for drawn in (words(job, first, lists),)
        for index, ground in enumerate(grounds)
    )
    results = yield Ask(works=works)
    return [
        (
            _canvas(job, plan, growth.source.size, grounds, results[first : first + runs]),
            works[first],
        )
        for first in range(0, len(works), runs)
    ]


def _grounds(job: Outpaint, plan: PoorMansPlan) -> list[Ground]:
    """Lay out the runs, one for each active tile."""
    begun = plan.picture if job.masked_content == "original" else fill(plan.picture, plan.hole)
    blurred = masks.blur(plan.mask, plan.mask_blur)
    return [
        _ground(begun.crop(box), blurred.crop(box), plan.latent_mask.crop(box), job)
        for box in _boxes(plan)
    ]


def _ground(picture: Image.Image, mask: Image.Image, latent: Image.Image, job: Outpaint) -> Ground:
    cells = picture.width // CELL, picture.height // CELL
    return Ground(picture, mask, masks.latent_mask(latent, *cells), STARTS[job.masked_content])


def _canvas(
    job: Outpaint,
    plan: PoorMansPlan,
    size: Size,
    grounds: list[Ground],
    results: list[Painted],
) -> Image.Image:
    """Lay the old picture over each run's result and put the tiles together."""
    tiles: dict[int, Image.Image] = {}
    runs = zip(plan.active, _boxes(plan), grounds, results, strict=True)
    for index, box, ground, result in runs:
        patch = finished(job, result, ground.picture)
        overlay = masks.overlay_mask(ground.mask)
        tiles[index] = composite(patch, plan.picture.crop(box), overlay)
    return poor_mans.finish(plan, tiles, size)


def _boxes(plan: PoorMansPlan) -> list[Box]:
    boxes = plan.grid.boxes
    return [boxes[index] for index in plan.active]
