"""Redraw: a picture enlarged and then repainted tile by tile (the field's SD upscale)."""

from __future__ import annotations

from functools import partial

import numpy as np
from PIL import Image

from inference.api.errors import JobError
from inference.api.infotext.job_values import job_values
from inference.api.jobs import Img2ImgJob, UpscaleJob
from inference.api.jobs.names import count_seed
from inference.api.jobs.sizes import LATENT_CELL_PIXELS, MIN_SIDE_PIXELS, round_up
from inference.api.notices import Notice
from inference.engine.work import JobResult, Operation, OutputImage, WorkRequest
from inference.images.arrays import FloatArray
from inference.images.mask.fill import flatten_alpha
from inference.images.regions import Size
from inference.images.tiles import (
    TileGrid,
    combine_tiles,
    cut_tiles,
    inner_tile_mask,
    make_tile_grid,
)
from inference.operations.context import Images, OperationContext
from inference.operations.shared import sizes
from inference.operations.shared.batch_variants import resolve_wildcards, work_notes
from inference.operations.shared.parameters import build_denoise_work, build_infotext
from inference.operations.shared.side_call import run_beside
from inference.operations.shared.tiles import MAX_REQUESTED_TILES, run_tiles, with_tuned_tiling
from inference.upscaling.tiling.plan import UpscalePlan, count_tiles, final_size
from inference.upscaling.upscale import upscale_image as enlarge

#: Above this strength every tile begins to show the whole prompt on its own.
MAX_GENTLE_STRENGTH = 0.4
#: From this overlap on, in pixels, the outermost cells of a tile are nearly faded out.
MIN_FADED_OVERLAP_PIXELS = 4 * LATENT_CELL_PIXELS


def sd_upscale(
    job: UpscaleJob, images: Images, context: OperationContext, plan: UpscalePlan
) -> Operation:
    """Enlarge the picture, repaint all its tiles together, put them together again.

    The k-th tile has the job's seed plus k. Its outermost cells towards its neighbours stay those
    of the enlarged picture: a model that ends its pictures in a margin would end every tile in
    one, and a trace of it would shine through the ramp as a line.
    """
    sizes.check_source(images["image"])
    source = yield from run_beside(partial(flatten_alpha, images["image"]), images["image"].size)
    img2img_job = _as_img2img(job)
    model = context.resolve_model(job)
    grid = tile_grid(
        _repaint_size(source.size, plan, context.library.size_multiple(model)),
        context.library.natural_size(model),
        job.overlap,
    )
    plan = yield from with_tuned_tiling(plan, source.size, context.library.upscalers)
    tile_source = enlarge(source, plan, MAX_REQUESTED_TILES)
    count = count_tiles(source.size, plan)
    large = yield from run_tiles(
        tile_source, count, final_size(source.size, plan), later_units=len(grid) * job.steps
    )
    repainted_tiles = yield from run_beside(partial(_cut_repainted_tiles, large, grid), large.size)
    prompt_fields = resolve_wildcards(img2img_job, job.seed, context.lists)
    works = tuple(
        build_denoise_work(
            img2img_job,
            model,
            tile.size,
            **prompt_fields | {"seed": count_seed(job.seed, number)},
            image=tile,
            mask=mask,
            part=number,
        )
        for number, (tile, mask) in enumerate(repainted_tiles)
    )
    tiles = [result.image for result in (yield WorkRequest(works=works))]
    text = build_infotext(works[0], context.library.model_traits(model), **job_values(job))
    redrawn = yield from run_beside(
        lambda: combine_tiles(grid, tiles).crop((0, 0, *large.size)), large.size
    )
    return JobResult(
        images=(OutputImage(image=redrawn, seed=job.seed, infotext=text),),
        notes=(*work_notes(works[:1]), *_sd_upscale_notes(job, grid)),
    )


def tile_grid(size: Size, tile: int, overlap: int) -> TileGrid:
    """Cut a picture into squares of the model's size, or what fits; overlap at most half of one.

    Sides must be multiples of the model's and a tile's too, so a picture narrower than a tile gives
    tiles of its own width.

    Raises:
        JobError: the picture is too small for the network even when enlarged.
    """
    if min(size) < MIN_SIDE_PIXELS:
        raise JobError(
            "factor",
            "upscale.too_small",
            width=size[0],
            height=size[1],
            least=MIN_SIDE_PIXELS,
        )
    width, height = min(tile, size[0]), min(tile, size[1])
    return make_tile_grid(*size, width, height, min(overlap, width // 2, height // 2))


def _cut_repainted_tiles(
    large: Image.Image, grid: TileGrid
) -> list[tuple[Image.Image, FloatArray | None]]:
    """Cut out what is repainted, each tile with where its latent may change."""
    extended_image = _extend_edges(large, (grid.width, grid.height))
    return [
        (tile, _tile_latent_mask(grid, number))
        for number, tile in enumerate(cut_tiles(extended_image, grid))
    ]


def _tile_latent_mask(grid: TileGrid, number: int) -> FloatArray | None:
    """Return where a tile's latent may change; None is everywhere."""
    if len(grid) == 1 or grid.overlap < MIN_FADED_OVERLAP_PIXELS:
        return None
    return inner_tile_mask(grid, number, LATENT_CELL_PIXELS)[
        ::LATENT_CELL_PIXELS, ::LATENT_CELL_PIXELS
    ]


def _repaint_size(size: Size, plan: UpscalePlan, multiple: int) -> Size:
    """Return the size that is repainted: enlarged, rounded up to what the model can hold."""
    width, height = final_size(size, plan)
    return round_up(width, multiple), round_up(height, multiple)


def _extend_edges(image: Image.Image, size: Size) -> Image.Image:
    """Repeat a picture's last column and row up to a size that is not smaller; `RGB`."""
    missing = ((0, size[1] - image.height), (0, size[0] - image.width), (0, 0))
    return Image.fromarray(np.pad(np.asarray(image), missing, mode="edge"))


def _as_img2img(job: UpscaleJob) -> Img2ImgJob:
    """Take the job's settings as those of an img2img."""
    return Img2ImgJob(
        prompt=job.prompt,
        negative_prompt=job.negative_prompt,
        model=job.model,
        strength=job.strength,
        steps=job.steps,
        guidance=job.guidance,
        sampler=job.sampler,
        schedule=job.schedule,
        seed=job.seed,
    )


def _sd_upscale_notes(job: UpscaleJob, grid: TileGrid) -> tuple[Notice, ...]:
    size = {"width": grid.tile_width, "height": grid.tile_height}
    notes = [
        Notice("upscale.redrawn", count=len(grid), **size)
        if len(grid) > 1
        else Notice("upscale.redrawn_whole", **size)
    ]
    if grid.overlap < job.overlap and len(grid) > 1:
        notes.append(Notice("upscale.overlap", overlap=grid.overlap))
    if job.strength > MAX_GENTLE_STRENGTH and len(grid) > 1:
        notes.append(Notice("upscale.strong", gentle=f"{MAX_GENTLE_STRENGTH:g}"))
    return tuple(notes)
