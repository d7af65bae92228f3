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

from inference.models.upscaling.plan import (
    NetworkTraits,
    Resampler,
    Size,
    UpscalePlan,
    final_size,
    pass_sizes,
    scaled_size,
)
from inference.models.upscaling.stitcher import Stitcher
from inference.models.upscaling.tiles import Bytes, TileBox, TileWork, cut_tile, plan_tiles
from inference.models.upscaling.transparency import bound_transparency, split_transparency

TOGETHER = 4  # tiles asked for at once, unless the driver wants another number

FILTERS = {
    Resampler.LANCZOS: Image.Resampling.LANCZOS,
    Resampler.NEAREST: Image.Resampling.NEAREST,
}


Tiles = Generator[list[TileWork], list[Tensor], Bytes]


def upscale(
    picture: Image.Image, plan: UpscalePlan, together: int = TOGETHER
) -> Generator[list[TileWork], list[Tensor], Image.Image]:
    """Upscale an RGB or RGBA picture.

    Yields up to `together` tiles of one group at a time and expects to be sent their results in the
    same order, on any device: [3, h·scale, w·scale] uint8, or float in 0..1, or of a survey what
    its tile averages. Returns a picture of the same mode and of
    `final_size`.

    Raises:
        ValueError: the picture has another mode, or a result another shape.
    """
    size = picture.size
    colour, alpha = split_transparency(picture)
    enlarged = Image.fromarray((yield from _layered(colour, plan, together)))
    if picture.mode == "RGBA":
        enlarged.putalpha((yield from _alpha(alpha, size, plan, together)))
    return _cropped(enlarged, final_size(size, plan))


def drive(
    work: Generator[list[TileWork], list[Tensor], Image.Image],
    run: Callable[[list[TileWork]], list[Tensor]],
) -> Image.Image:
    """Run one upscale to its end, with `run` as the network."""
    results: list[Tensor] | None = None
    while True:
        try:
            asked = next(work) if results is None else work.send(results)
        except StopIteration as stop:
            picture: Image.Image = stop.value
            return picture
        results = run(asked)


def _alpha(
    alpha: Bytes | None, size: Size, plan: UpscalePlan, together: int
) -> Generator[list[TileWork], list[Tensor], Image.Image]:
    """Enlarge [H, W] uint8 transparency to the plan's size; None means all opaque."""
    target = scaled_size(size, plan)
    if alpha is None:
        return Image.new("L", target, 255)
    if not plan.alpha_by_network:
        return Image.fromarray(alpha).resize(target, Image.Resampling.LANCZOS)
    grey = np.repeat(alpha[..., None], 3, axis=2)
    enlarged = yield from _layered(grey, plan, together)
    return bound_transparency(Image.fromarray(enlarged).convert("L"), alpha)


def _layered(pixels: Bytes, plan: UpscalePlan, together: int) -> Tiles:
    """Enlarge [H, W, 3] by each upscaler of the plan and blend their results."""
    results = []
    shares = []
    for method, share in plan.layers():
        results.append((yield from _enlarged(pixels, plan, method, together)))
        shares.append(share)
    if len(results) == 1:
        return results[0]
    first, second = (Image.fromarray(result) for result in results)
    return np.asarray(Image.blend(first, second, shares[1]))


def _enlarged(
    pixels: Bytes, plan: UpscalePlan, method: NetworkTraits | Resampler, together: int
) -> Tiles:
    """Enlarge [H, W, 3] uint8 to the plan's size, in passes where a network does it."""
    size = (pixels.shape[1], pixels.shape[0])
    target = scaled_size(size, plan)
    if isinstance(method, Resampler):
        return _resized(pixels, target, FILTERS[method])
    for _ in pass_sizes(size, plan, method):
        pixels = yield from _one_pass(pixels, method, together)
    return _resized(pixels, target, Image.Resampling.LANCZOS)


def _one_pass(pixels: Bytes, network: NetworkTraits, together: int) -> Tiles:
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
    stitcher = Stitcher(boxes, network.scale)
    averages: Tensor | None = None
    for _ in range(network.surveys if len(boxes) > 1 else 0):
        averages = yield from _surveyed(pixels, boxes, network.key, averages, together)
    for some in _groups(boxes, together):
        results = yield [
            TileWork(network.key, cut_tile(pixels, box), averages=averages) for box in some
        ]
        for box, result in zip(some, results, strict=True):
            stitcher.add(box, result)
    return stitcher.picture()


def _surveyed(
    pixels: Bytes,
    boxes: tuple[TileBox, ...],
    key: str,
    known: Tensor | None,
    together: int,
) -> Generator[list[TileWork], list[Tensor], Tensor]:
    """Learn what a network averages next over the whole picture, after what is known, [C]."""
    total = torch.zeros(2, 1)
    for some in _groups(boxes, together):
        found = yield [TileWork(key, cut_tile(pixels, box), box.own, known) for box in some]
        for part in found:
            total = total + part
    average = total[0] / total[1]
    return average if known is None else torch.cat([known, average])


def _groups(boxes: tuple[TileBox, ...], together: int) -> Iterator[tuple[TileBox, ...]]:
    return (boxes[begin : begin + together] for begin in range(0, len(boxes), together))


def _resized(pixels: Bytes, size: Size, filter_: Image.Resampling) -> Bytes:
    if size == (pixels.shape[1], pixels.shape[0]):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size, filter_))


def _cropped(picture: Image.Image, size: Size) -> Image.Image:
    """Cut a picture to a size, as much from each side."""
    if picture.size == size:
        return picture
    left, top = (picture.width - size[0]) // 2, (picture.height - size[1]) // 2
    return picture.crop((left, top, left + size[0], top + size[1]))
