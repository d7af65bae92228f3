"""Upscale one picture as a coroutine that asks for tiles and waits for their results.

Nothing here runs a network: whoever drives the coroutine does, and may put tiles of several
pictures into one batch, or other work between two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inference.upscaling.tiling.plan import (
    NetworkTraits,
    Resampler,
    Size,
    UpscalePlan,
    final_size,
    pass_sizes,
    scaled_size,
)
from inference.upscaling.tiling.stitcher import TileCompositor
from inference.upscaling.tiling.tiles import Bytes, TileBox, TileWork, cut_tile, plan_tiles
from inference.upscaling.transparency import bound_transparency, split_transparency

TILES_PER_REQUEST = 4  # tiles asked for at once, unless the driver wants another number

RESAMPLING_FILTERS = {
    Resampler.LANCZOS: Image.Resampling.LANCZOS,
    Resampler.NEAREST: Image.Resampling.NEAREST,
}


Tiles = Generator[list[TileWork], list[Tensor], Bytes]


def upscale_image(
    image: Image.Image, plan: UpscalePlan, max_tiles: int = TILES_PER_REQUEST
) -> Generator[list[TileWork], list[Tensor], Image.Image]:
    """Upscale an RGB or RGBA picture.

    Yields up to `together` tiles of one group at a time and expects to be sent their results in the
    same order, on any device: [3, h·scale, w·scale] uint8, or float in 0..1, or of a survey what
    its tile averages. Returns a picture of the same mode and of
    `final_size`.

    Raises:
        ValueError: the picture has another mode, or a result another shape.
    """
    size = image.size
    colour, alpha = split_transparency(image)
    enlarged_image = Image.fromarray((yield from _enlarge_blended(colour, plan, max_tiles)))
    if image.mode == "RGBA":
        enlarged_image.putalpha((yield from _enlarge_alpha(alpha, size, plan, max_tiles)))
    return _crop_centre(enlarged_image, final_size(size, plan))


def drive_upscale(
    work: Generator[list[TileWork], list[Tensor], Image.Image],
    run: Callable[[list[TileWork]], list[Tensor]],
) -> Image.Image:
    """Run one upscale to its end, with `run` as the network."""
    results: list[Tensor] | None = None
    while True:
        try:
            tile_works = next(work) if results is None else work.send(results)
        except StopIteration as stop:
            image: Image.Image = stop.value
            return image
        results = run(tile_works)


def _enlarge_alpha(
    alpha: Bytes | None, size: Size, plan: UpscalePlan, max_tiles: int
) -> Generator[list[TileWork], list[Tensor], Image.Image]:
    """Enlarge [H, W] uint8 transparency to the plan's size; None means all opaque."""
    target = scaled_size(size, plan)
    if alpha is None:
        return Image.new("L", target, 255)
    if not plan.alpha_by_network:
        return Image.fromarray(alpha).resize(target, Image.Resampling.LANCZOS)
    grey = np.repeat(alpha[..., None], 3, axis=2)
    enlarged_grey = yield from _enlarge_blended(grey, plan, max_tiles)
    return bound_transparency(Image.fromarray(enlarged_grey).convert("L"), alpha)


def _enlarge_blended(pixels: Bytes, plan: UpscalePlan, max_tiles: int) -> Tiles:
    """Enlarge [H, W, 3] by each upscaler of the plan and blend their results."""
    results = []
    shares = []
    for method, share in plan.weighted_methods():
        results.append((yield from _enlarge_by_method(pixels, plan, method, max_tiles)))
        shares.append(share)
    if len(results) == 1:
        return results[0]
    first, second = (Image.fromarray(result) for result in results)
    return np.asarray(Image.blend(first, second, shares[1]))


def _enlarge_by_method(
    pixels: Bytes, plan: UpscalePlan, method: NetworkTraits | Resampler, max_tiles: int
) -> Tiles:
    """Enlarge [H, W, 3] uint8 to the plan's size, in passes where a network does it."""
    size = (pixels.shape[1], pixels.shape[0])
    target = scaled_size(size, plan)
    if isinstance(method, Resampler):
        return _resize_pixels(pixels, target, RESAMPLING_FILTERS[method])
    for _ in pass_sizes(size, plan, method):
        pixels = yield from _run_pass(pixels, method, max_tiles)
    return _resize_pixels(pixels, target, Image.Resampling.LANCZOS)


def _run_pass(pixels: Bytes, network: NetworkTraits, max_tiles: int) -> Tiles:
    """Send [H, W, 3] uint8 through a network once, tile by tile."""
    height, width = pixels.shape[:2]
    boxes = plan_tiles(
        width,
        height,
        network.tile,
        network.overlap,
        feather=not network.exact,
        full=network.full,
    )
    stitcher = TileCompositor(boxes, network.scale)
    averages: Tensor | None = None
    for _ in range(network.surveys if len(boxes) > 1 else 0):
        averages = yield from _survey_averages(pixels, boxes, network.key, averages, max_tiles)
    for batch_boxes in _batch_boxes(boxes, max_tiles):
        results = yield [
            TileWork(network.key, cut_tile(pixels, box), averages=averages) for box in batch_boxes
        ]
        for box, result in zip(batch_boxes, results, strict=True):
            stitcher.add_tile(box, result)
    return stitcher.finished_image()


def _survey_averages(
    pixels: Bytes,
    boxes: tuple[TileBox, ...],
    key: str,
    known_averages: Tensor | None,
    max_tiles: int,
) -> Generator[list[TileWork], list[Tensor], Tensor]:
    """Learn what a network averages next over the whole picture, after what is known, [C]."""
    total = torch.zeros(2, 1)
    for batch_boxes in _batch_boxes(boxes, max_tiles):
        tile_sums = yield [
            TileWork(key, cut_tile(pixels, box), box.own_region, known_averages)
            for box in batch_boxes
        ]
        for part in tile_sums:
            total = total + part
    average = total[0] / total[1]
    return average if known_averages is None else torch.cat([known_averages, average])


def _batch_boxes(boxes: tuple[TileBox, ...], max_tiles: int) -> Iterator[tuple[TileBox, ...]]:
    return (boxes[begin : begin + max_tiles] for begin in range(0, len(boxes), max_tiles))


def _resize_pixels(pixels: Bytes, size: Size, filter_: Image.Resampling) -> Bytes:
    if size == (pixels.shape[1], pixels.shape[0]):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size, filter_))


def _crop_centre(image: Image.Image, size: Size) -> Image.Image:
    """Cut a picture to a size, as much from each side."""
    if image.size == size:
        return image
    left, top = (image.width - size[0]) // 2, (image.height - size[1]) // 2
    return image.crop((left, top, left + size[0], top + size[1]))
