"""Poor man's outpainting: a black canvas, a mask around the source, tile after tile repainted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from inference.images.compositing import composite_under_mask
from inference.images.mask import masks
from inference.images.outpaint.canvas import OutpaintCanvas, paste_source
from inference.images.regions import Box, Size
from inference.images.tiles import TileGrid, combine_tiles, cut_tiles, make_tile_grid


@dataclass(frozen=True)
class PoorMansPlan:
    """Everything the runs of one outpainting share."""

    canvas: OutpaintCanvas
    grid: TileGrid
    #: The canvas with the source on it, `RGB`.
    image: Image.Image
    #: White where the repaint may show, `L`, before blurring by `mask_blur`.
    mask: Image.Image
    #: White where the latent may change, `L`; reaches less far into the source.
    latent_mask: Image.Image
    #: What masked content is filled under, `L`: the blurred mask, and all of the new area in full,
    #: so that the black of the canvas is never taken for a colour of the picture.
    hole: Image.Image
    #: Effective mask blur, pixels of σ.
    mask_blur: int
    #: The grid's tiles with something to repaint, as indices into its boxes, in order.
    active: tuple[int, ...]


def plan_tiled_outpaint(
    image: Image.Image, canvas: OutpaintCanvas, tile: Size, overlap: int, blur: int
) -> PoorMansPlan:
    """Lay out the runs for a source on its canvas.

    `tile` is the job's size, `overlap` the pixels grown by (at most half a tile counts), `blur` the
    mask blur asked for; all in pixels. On the sides that grow the mask reaches 2·blur into the
    source and the latent mask ⌊blur/2⌋. A tile that lies wholly inside the old picture is not run.
    """
    width, height = min(tile[0], canvas.width), min(tile[1], canvas.height)
    grid = make_tile_grid(
        canvas.width, canvas.height, width, height, min(overlap, width // 2, height // 2)
    )
    old = canvas.source_box(image.size)
    mask = kept_rectangle(canvas, image.size, 2 * blur)
    new = kept_rectangle(canvas, image.size, 0)
    return PoorMansPlan(
        canvas,
        grid,
        paste_source(image, canvas),
        mask,
        kept_rectangle(canvas, image.size, blur // 2),
        masks.unite_masks(masks.blur_mask(mask, 2 * blur), new),
        2 * blur,
        tuple(index for index, box in enumerate(grid.tile_boxes) if not _is_box_inside(box, old)),
    )


def finish_tiled_outpaint(
    plan: PoorMansPlan, results: Mapping[int, Image.Image], size: Size
) -> Image.Image:
    """Put the repainted tiles together; `RGB`, at the size of the result for a source of `size`.

    `results` maps indices of the grid's boxes to repainted tiles; other tiles stay as they are.
    Where the blurred mask is 0 the source's pixels come back bit for bit.
    """
    tiles = cut_tiles(plan.image, plan.grid)
    merged_tiles = combine_tiles(plan.grid, [results.get(i, tile) for i, tile in enumerate(tiles)])
    repaint_mask = masks.blur_mask(plan.mask, plan.mask_blur).point([0] + [255] * 255)
    whole = composite_under_mask(merged_tiles, plan.image, repaint_mask)
    return whole.crop(plan.canvas.result_box(size))


def kept_rectangle(canvas: OutpaintCanvas, size: Size, inset: int) -> Image.Image:
    """Return a white mask with the kept part of the source black, `L`.

    The black is inset on every side with something new beside it. Sides are exact: no line of the
    new area stays black, so no hard seam comes from the arithmetic.
    """
    mask = Image.new("L", (canvas.width, canvas.height), 255)
    left, upper, right, lower = inset_box(canvas, size, inset)
    if right > left and lower > upper:
        mask.paste(0, (left, upper, right, lower))
    return mask


def inset_box(canvas: OutpaintCanvas, size: Size, inset: int) -> Box:
    """Return the source's box on the canvas, drawn in on the sides with something new beside."""
    left, upper, right, lower = canvas.source_box(size)
    return (
        left + (inset if canvas.left else 0),
        upper + (inset if canvas.up else 0),
        right - (inset if right < canvas.width else 0),
        lower - (inset if lower < canvas.height else 0),
    )


def _is_box_inside(box: Box, outer: Box) -> bool:
    return box[0] >= outer[0] and box[1] >= outer[1] and box[2] <= outer[2] and box[3] <= outer[3]
