"""Redraw: a picture enlarged and then repainted tile by tile (the field's SD upscale)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from PIL import Image

from inference.engine.work import Ask, Made, Operation, Outcome
from inference.errors import JobError
from inference.jobs import Img2Img, Upscale
from inference.jobs.canvases import CELL, SMALLEST
from inference.models.upscaling.plan import UpscalePlan, count_tiles, final_size
from inference.models.upscaling.upscale import upscale as enlarge
from inference.operations import sizes
from inference.operations.parameters import infotext, paint
from inference.operations.slices import TOGETHER, in_slices, tuned
from inference.operations.studio import Pictures, Studio
from inference.operations.takes import notes_on, words
from inference.pictures.arrays import FloatArray
from inference.pictures.fill import flatten
from inference.pictures.regions import Size
from inference.pictures.resize import scale_to
from inference.pictures.tiles import Grid, combine, cut, inner, split

#: Above this strength every tile begins to show the whole prompt on its own.
GENTLE = 0.4
#: From this overlap on, in pixels, the outermost cells of a tile are nearly faded out.
DEEP = 4 * CELL


def redraw(job: Upscale, pictures: Pictures, studio: Studio, plan: UpscalePlan) -> Operation:
    """Enlarge the picture, repaint all its tiles together, put them together again.

    The k-th tile has the job's seed plus k. Its outermost cells towards its neighbours stay those
    of the enlarged picture: a model that ends its pictures in a margin would end every tile in
    one, and a trace of it would shine through the ramp as a line.
    """
    sizes.check_source(pictures["image"])
    source = flatten(pictures["image"])
    painting = _painting(job)
    model = studio.library.resolve(job.model)
    grid = tile_grid(_target(source.size, plan), studio.library.natural_size(model), job.overlap)
    plan = yield from tuned(plan, source.size, studio.library.upscalers)
    large = yield from _enlarged(source, plan, grid, later=len(grid) * job.steps)
    drawn = words(painting, job.seed, studio.lists)
    works = tuple(
        paint(
            painting,
            model,
            tile.size,
            **drawn | {"seed": job.seed + number},
            picture=tile,
            mask=_held(grid, number),
            part=number,
        )
        for number, tile in enumerate(cut(large, grid))
    )
    results = yield Ask(works=works)
    tiles = [result.picture for result in results]
    text = infotext(works[0], studio.library.traits(model), **_values(job, grid))
    return Outcome(
        pictures=(Made(picture=combine(grid, tiles), seed=job.seed, infotext=text),),
        notes=(*notes_on(works[:1]), *_notes(job, grid)),
    )


def tile_grid(size: Size, tile: int, overlap: int) -> Grid:
    """Cut a picture into squares of the model's size, or what fits; overlap at most half of one.

    Sides must be multiples of 8 pixels and a tile's too, so a picture narrower than a tile gives
    tiles of its own width.

    Raises:
        JobError: the picture is too small for the network even when enlarged.
    """
    if min(size) < SMALLEST:
        raise JobError(
            "factor",
            f"Enlarged, the picture has {size[0]} x {size[1]} pixels; redrawing needs "
            f"{SMALLEST} a side. Ask for a larger factor.",
        )
    width, height = min(tile, size[0]), min(tile, size[1])
    return split(*size, width, height, min(overlap, width // 2, height // 2))


def _held(grid: Grid, number: int) -> FloatArray | None:
    """Return where a tile's latent may change; None is everywhere."""
    if len(grid) == 1 or grid.overlap < DEEP:
        return None
    return inner(grid, number, CELL)[::CELL, ::CELL]


def _target(size: Size, plan: UpscalePlan) -> Size:
    """Return the size that is repainted: enlarged, rounded down to whole latent cells."""
    width, height = final_size(size, plan)
    return width // CELL * CELL, height // CELL * CELL


def _enlarged(
    source: Image.Image, plan: UpscalePlan, grid: Grid, later: int
) -> Generator[Ask, list[Any], Image.Image]:
    count = count_tiles(source.size, plan)
    large = yield from in_slices(enlarge(source, plan, TOGETHER), count, later)
    return scale_to(large, grid.width, grid.height)


def _painting(job: Upscale) -> Img2Img:
    """Take the job's settings as those of an img2img."""
    return Img2Img(
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


def _values(job: Upscale, grid: Grid) -> dict[str, object]:
    """Write what the field writes about an SD upscale."""
    return {"SD upscale overlap": grid.overlap, "SD upscale upscaler": job.upscaler}


def _notes(job: Upscale, grid: Grid) -> tuple[str, ...]:
    notes = [
        f"Redrawn in {len(grid)} tile{'s' if len(grid) > 1 else ''} of "
        f"{grid.tile_width} x {grid.tile_height}."
    ]
    if grid.overlap < job.overlap and len(grid) > 1:
        notes.append(f"The overlap became {grid.overlap}: half a tile is the most.")
    if job.strength > GENTLE and len(grid) > 1:
        notes.append(
            f"Above a strength of {GENTLE:g} each tile may show the whole prompt on its own."
        )
    return tuple(notes)
