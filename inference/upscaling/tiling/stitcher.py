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

from inference.upscaling.tiling.tiles import Bytes, TileBox

SHARE_SCALE = 256  # an 8-bit value times this fits in 16 bits with room for the sum's rounding


class RowBand(NamedTuple):
    """Rows of the enlarged picture that the same tiles cover."""

    top: int
    bottom: int


class TileCompositor:
    """Puts enlarged tiles together, in whatever order they come.

    The picture is uint8 from the start; only the bands of rows still waiting for a tile are held
    in 16 bits. Shares are added as whole numbers, so the order of the tiles changes no bit.
    """

    def __init__(self, boxes: tuple[TileBox, ...], scale: int) -> None:
        self._scale = scale
        self._waiting = set(boxes)
        width = max(box.across.tail[1] for box in boxes) * scale
        height = max(box.down.tail[1] for box in boxes) * scale
        self._image: Bytes = np.empty((height, width, 3), np.uint8)
        self._bands = Counter() if _has_only_hard_cuts(boxes) else _row_bands(boxes, scale)
        self._sums: dict[RowBand, npt.NDArray[np.uint16]] = {}

    def add_tile(self, box: TileBox, tile: Tensor) -> None:
        """Place one enlarged tile: [3, padded h·scale, padded w·scale] on any device.

        It is float in 0..1, or uint8.

        Raises:
            ValueError: the box is not of this plan or came before, or the tile's shape is off.
        """
        expected_shape = (3, box.down.padded * self._scale, box.across.padded * self._scale)
        if tile.shape != expected_shape:
            raise ValueError(f"Expected a tile of shape {expected_shape}, got {tuple(tile.shape)}.")
        if box not in self._waiting:
            raise ValueError(f"This tile is not waited for: {box}.")
        self._waiting.remove(box)
        part = to_bytes(
            tile[:, box.down.output_slice(self._scale), box.across.output_slice(self._scale)]
        )
        if self._bands:
            self._blend_tile(box, part)
        else:
            top, left = box.down.head[0] * self._scale, box.across.head[0] * self._scale
            self._image[top : top + part.shape[0], left : left + part.shape[1]] = part

    def finished_image(self) -> Bytes:
        """Return the whole picture, [H·scale, W·scale, 3] uint8.

        Raises:
            ValueError: tiles are still missing.
        """
        if self._waiting:
            raise ValueError(f"{len(self._waiting)} tiles are still missing.")
        return self._image

    def _blend_tile(self, box: TileBox, part: Bytes) -> None:
        """Add a tile's share, [h, w, 3] uint8, band by band; finish the bands it completes."""
        top, left = box.down.head[0] * self._scale, box.across.head[0] * self._scale
        rows, columns = box.down.blend_weights(self._scale), box.across.blend_weights(self._scale)
        columns = columns * np.float32(SHARE_SCALE)
        for band in _bands_within(self._bands, top, top + part.shape[0]):
            band_rows = slice(band.top - top, band.bottom - top)
            share = rows[band_rows, None, None] * columns[None, :, None] * part[band_rows]
            sums = self._band_sums(band)
            sums[:, left : left + part.shape[1]] += np.rint(share, out=share).astype(np.uint16)
            self._bands[band] -= 1
            if not self._bands[band]:
                self._finish_band(band)

    def _band_sums(self, band: RowBand) -> npt.NDArray[np.uint16]:
        if band not in self._sums:
            shape = (band.bottom - band.top, *self._image.shape[1:])
            self._sums[band] = np.zeros(shape, np.uint16)
        return self._sums[band]

    def _finish_band(self, band: RowBand) -> None:
        sums = self._sums.pop(band)
        sums += np.uint16(SHARE_SCALE // 2)
        sums //= np.uint16(SHARE_SCALE)
        self._image[band.top : band.bottom] = sums


def to_bytes(tile: Tensor) -> Bytes:
    """Round a [3, H, W] float tile in 0..1 to [H, W, 3] uint8 in memory; uint8 stays as it is."""
    array: Bytes = round_to_uint8(tile).permute(1, 2, 0).cpu().numpy()
    return array


def round_to_uint8(tiles: Tensor) -> Tensor:
    """Round float values in 0..1 to uint8, in the same shape and on the same device."""
    if tiles.dtype == torch.uint8:
        return tiles
    return tiles.mul(255).round_().clamp_(0, 255).to(torch.uint8)


def _has_only_hard_cuts(boxes: tuple[TileBox, ...]) -> bool:
    axes = (axis for box in boxes for axis in (box.across, box.down))
    return all(begin == end for axis in axes for begin, end in (axis.head, axis.tail))


def _row_bands(boxes: tuple[TileBox, ...], scale: int) -> Counter[RowBand]:
    """Cut the rows wherever a tile begins or ends; count the tiles that each band waits for."""
    reaches = Counter((box.down.head[0] * scale, box.down.tail[1] * scale) for box in boxes)
    edges = sorted({edge for reach in reaches for edge in reach})
    bands = [RowBand(top, bottom) for top, bottom in pairwise(edges)]
    return Counter(
        {
            band: sum(count for reach, count in reaches.items() if _covers_band(reach, band))
            for band in bands
        }
    )


def _covers_band(reach: tuple[int, int], band: RowBand) -> bool:
    return reach[0] <= band.top and band.bottom <= reach[1]


def _bands_within(bands: Counter[RowBand], top: int, bottom: int) -> Iterator[RowBand]:
    return (band for band in bands if _covers_band((top, bottom), band))
