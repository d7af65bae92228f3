"""Poor man's outpainting through the engine: every tile with something new in it is one run."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

from PIL import Image

from inference.api.jobs import OutpaintJob
from inference.api.jobs.drawn_prompts import WildcardLists
from inference.api.jobs.names import count_seed
from inference.diffusion.model import PIXELS_PER_CELL
from inference.engine.work import DenoiseResult, DenoiseWork, WorkRequest
from inference.images.compositing import composite_under_mask
from inference.images.mask import masks
from inference.images.mask.fill import fill_masked
from inference.images.outpaint import poor_mans
from inference.images.outpaint.poor_mans import PoorMansPlan
from inference.images.regions import Box, Size
from inference.operations.img2img import finish_image
from inference.operations.mask.masked_start import MASKED_STARTS, MaskedStart
from inference.operations.outpaint.growth import OutpaintPlan
from inference.operations.shared.batch_variants import resolve_wildcards
from inference.operations.shared.parameters import build_denoise_work
from inference.operations.shared.side_call import run_beside

#: A painted canvas and the first of the works that made it.
PaintedCanvas = tuple[Image.Image, DenoiseWork]


def outpaint_poor_mans(
    job: OutpaintJob, model: str, outpaint_plan: OutpaintPlan, lists: WildcardLists
) -> Generator[WorkRequest, list[Any], list[PaintedCanvas]]:
    """Paint a canvas for each picture of the batch; no tile waits for another.

    The seed goes up by one with each run. The masked content is put under the whole canvas, not
    tile by tile: a tile with nothing but new area in it still begins with the source's colours.
    """
    amounts = outpaint_plan.amounts
    overlap = max(amounts.left, amounts.right, amounts.up, amounts.down)
    plan = yield from run_beside(
        partial(
            poor_mans.plan_tiled_outpaint,
            outpaint_plan.source,
            outpaint_plan.canvas,
            outpaint_plan.tile,
            overlap,
            job.mask_blur,
        ),
        outpaint_plan.source.size,
    )
    masked_starts = yield from run_beside(partial(_tile_starts, job, plan), plan.image.size)
    runs = len(masked_starts)
    first_seeds = [count_seed(job.seed, number * runs) for number in range(job.batch)]
    works = tuple(
        build_denoise_work(
            job,
            model,
            masked_start.image.size,
            **prompt_fields | {"seed": count_seed(first, index)},
            **masked_start.work_fields,
        )
        for first in first_seeds
        for prompt_fields in (resolve_wildcards(job, first, lists),)
        for index, masked_start in enumerate(masked_starts)
    )
    results = yield WorkRequest(works=works)
    size = outpaint_plan.source.size

    def compose_all() -> list[PaintedCanvas]:
        return [
            (
                _compose_canvas(job, plan, size, masked_starts, results[first : first + runs]),
                works[first],
            )
            for first in range(0, len(works), runs)
        ]

    return (yield from run_beside(compose_all, size))


def _tile_starts(job: OutpaintJob, plan: PoorMansPlan) -> list[MaskedStart]:
    """Lay out the runs, one for each active tile."""
    start_image = (
        plan.image if job.masked_content == "original" else fill_masked(plan.image, plan.hole)
    )
    blurred_mask = masks.blur_mask(plan.mask, plan.mask_blur)
    return [
        _tile_start(start_image.crop(box), blurred_mask.crop(box), plan.latent_mask.crop(box), job)
        for box in _active_boxes(plan)
    ]


def _tile_start(
    image: Image.Image, mask: Image.Image, latent: Image.Image, job: OutpaintJob
) -> MaskedStart:
    cells = image.width // PIXELS_PER_CELL, image.height // PIXELS_PER_CELL
    return MaskedStart(
        image, mask, masks.latent_mask(latent, *cells), MASKED_STARTS[job.masked_content]
    )


def _compose_canvas(
    job: OutpaintJob,
    plan: PoorMansPlan,
    size: Size,
    masked_starts: list[MaskedStart],
    results: list[DenoiseResult],
) -> Image.Image:
    """Lay the old picture over each run's result and put the tiles together."""
    tiles: dict[int, Image.Image] = {}
    runs = zip(plan.active, _active_boxes(plan), masked_starts, results, strict=True)
    for index, box, masked_start, result in runs:
        patch = finish_image(job, result, masked_start.image)
        overlay = masks.overlay_mask(masked_start.mask)
        tiles[index] = composite_under_mask(patch, plan.image.crop(box), overlay)
    return poor_mans.finish_tiled_outpaint(plan, tiles, size)


def _active_boxes(plan: PoorMansPlan) -> list[Box]:
    boxes = plan.grid.tile_boxes
    return [boxes[index] for index in plan.active]
