"""Put enlarged tiles together into a picture, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inference.models.upscaling.tiles import Bytes, TileBox

FRACTION = 256  # an 8-bit value times this fits in 16 bits with room for the sum's rounding


class Band(NamedTuple):
    """Rows of the enlarged picture that the same tiles cover."""

    top: int
    bottom: int


class Stitcher:
    """Puts enlarged tiles together, in whatever order they come.

    The picture is uint8 from the start; only the bands of rows still waiting for a tile are held
    in 16 bits. Shares are added as whole numbers, so the order of the tiles changes no bit.
    """

    def __init__(self, boxes: tuple[TileBox, ...], scale: int) -> None:
        self._scale = scale
        self._waiting = set(boxes)
        width = max(box.across.tail[1] for box in boxes) * scale
        height = max(box.down.tail[1] for box in boxes) * scale
        self._picture: Bytes = np.empty((height, width, 3), np.uint8)
        self._bands = Counter() if _all_hard(boxes) else _bands(boxes, scale)
        self._sums: dict[Band, npt.NDArray[np.uint16]] = {}

    def add(self, box: TileBox, tile: Tensor) -> None:
        """Place one enlarged tile: [3, padded h·scale, padded w·scale] on any device.

        It is float in 0..1, or uint8.

        Raises:
            ValueError: the box is not of this plan or came before, or the tile's shape is off.
        """
        expected = (3, box.down.padded * self._scale, box.across.padded * self._scale)
        if tile.shape != expected:
            raise ValueError(f"Expected a tile of shape {expected}, got {tuple(tile.shape)}.")
        if box not in self._waiting:
            raise ValueError(f"This tile is not waited for: {box}.")
        self._waiting.remove(box)
        part = to_bytes(tile[:, box.down.kept(self._scale), box.across.kept(self._scale)])
        if self._bands:
            self._blend(box, part)
        else:
            top, left = box.down.head[0] * self._scale, box.across.head[0] * self._scale
            self._picture[top : top + part.shape[0], left : left + part.shape[1]] = part

    def picture(self) -> Bytes:
        """Return the whole picture, [H·scale, W·scale, 3] uint8.

        Raises:
            ValueError: tiles are still missing.
        """
        if self._waiting:
            raise ValueError(f"{len(self._waiting)} tiles are still missing.")
        return self._picture

    def _blend(self, box: TileBox, part: Bytes) -> None:
        """Add a tile's share, [h, w, 3] uint8, band by band; finish the bands it completes."""
        top, left = box.down.head[0] * self._scale, box.across.head[0] * self._scale
        rows, columns = box.down.weights(self._scale), box.across.weights(self._scale)
        columns = columns * np.float32(FRACTION)
        for band in _within(self._bands, top, top + part.shape[0]):
            inside = slice(band.top - top, band.bottom - top)
            share = rows[inside, None, None] * columns[None, :, None] * part[inside]
            sums = self._sum(band)
            sums[:, left : left + part.shape[1]] += np.rint(share, out=share).astype(np.uint16)
            self._bands[band] -= 1
            if not self._bands[band]:
                self._finish(band)

    def _sum(self, band: Band) -> npt.NDArray[np.uint16]:
        if band not in self._sums:
            shape = (band.bottom - band.top, *self._picture.shape[1:])
            self._sums[band] = np.zeros(shape, np.uint16)
        return self._sums[band]

    def _finish(self, band: Band) -> None:
        sums = self._sums.pop(band)
        sums += np.uint16(FRACTION // 2)
        sums //= np.uint16(FRACTION)
        self._picture[band.top : band.bottom] = sums


def to_bytes(tile: Tensor) -> Bytes:
    """Round a [3, H, W] float tile in 0..1 to [H, W, 3] uint8 in memory; uint8 stays as it is."""
    array: Bytes = rounded(tile).permute(1, 2, 0).cpu().numpy()
    return array


def rounded(tiles: Tensor) -> Tensor:
    """Round float values in 0..1 to uint8, in the same shape and on the same device."""
    if tiles.dtype == torch.uint8:
        return tiles
    return tiles.mul(255).round_().clamp_(0, 255).to(torch.uint8)


def _all_hard(boxes: tuple[TileBox, ...]) -> bool:
    spans = (span for box in boxes for span in (box.across, box.down))
    return all(begin == end for span in spans for begin, end in (span.head, span.tail))


def _bands(boxes: tuple[TileBox, ...], scale: int) -> Counter[Band]:
    """Cut the rows wherever a tile begins or ends; count the tiles that each band waits for."""
    reaches = Counter((box.down.head[0] * scale, box.down.tail[1] * scale) for box in boxes)
    edges = sorted({edge for reach in reaches for edge in reach})
    bands = [Band(top, bottom) for top, bottom in pairwise(edges)]
    return Counter(
        {
            band: sum(count for reach, count in reaches.items() if _covers(reach, band))
            for band in bands
        }
    )


def _covers(reach: tuple[int, int], band: Band) -> bool:
    return reach[0] <= band.top and band.bottom <= reach[1]


def _within(bands: Counter[Band], top: int, bottom: int) -> Iterator[Band]:
    return (band for band in bands if _covers((top, bottom), band))
