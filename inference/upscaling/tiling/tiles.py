"""Cut a picture into tiles of one shape.

Neighbouring tiles share at least twice the overlap, so that every pixel that is kept lies at least
the overlap away from an inner edge of its tile. Where the network's receptive field is no wider
than that, a hard cut in the middle gives exactly the untiled picture; for wider networks the tiles
fade into each other linearly. Positions are whole input pixels, counted from the top left.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

SIDE_STEP = 32  # pixels; sides on this grid let tiles of different pictures share a batch


@dataclass(frozen=True)
class TileAxis:
    """One axis of a tile."""

    start: int
    """First pixel of the picture that the tile shows."""
    length: int
    """How many pixels of the picture it shows; `start + length` never passes the picture."""
    padded: int
    """How long the tile is for the network, at least `length`."""
    head: tuple[int, int]
    """Where the tile takes over from the one before; equal numbers mean a hard cut."""
    tail: tuple[int, int]
    """Where it hands over to the next one; the picture's end where there is none."""

    def blend_weights(self, scale: int) -> Floats:
        """Return the tile's share of each kept enlarged pixel: [(tail end − head begin)·scale]."""
        centres = (np.arange(self.head[0] * scale, self.tail[1] * scale) + 0.5) / scale
        share = _linear_ramp(centres, self.head) - _linear_ramp(centres, self.tail)
        return share.astype(np.float32)

    @property
    def own_range(self) -> tuple[float, float]:
        """The part of the tile up to the middles of what it shares with its neighbours."""
        begin, end = sum(self.head) / 2 - self.start, sum(self.tail) / 2 - self.start
        first, last = self.head == (0, 0), end == self.length
        return (-math.inf if first else begin, math.inf if last else end)

    def output_slice(self, scale: int) -> slice:
        """Return the part of the enlarged tile that enters the picture."""
        return slice((self.head[0] - self.start) * scale, (self.tail[1] - self.start) * scale)


@dataclass(frozen=True)
class TileBox:
    """One tile's place: all tiles of a plan have the same padded shape."""

    across: TileAxis
    down: TileAxis

    @property
    def own_region(self) -> TileRegion:
        """The part of the tile that no other tile of the plan owns."""
        return TileRegion(*self.down.own_range, *self.across.own_range)


class TileRegion(NamedTuple):
    """A part of a tile in its own pixels; infinite where it goes on beyond the tile."""

    top: float
    bottom: float
    left: float
    right: float


@dataclass(frozen=True, eq=False)
class TileWork:
    """One tile for one network."""

    key: str
    """The network's key, as the plan names it."""
    tile: Tensor
    """[3, h, w] float32 in 0..1 on the CPU; all tiles of one yield have one shape."""
    survey: TileRegion | None = None
    """Asks for what the network averages next over this part, [2, C], instead of a picture."""
    averages: Tensor | None = None
    """What it averages over the whole picture, as far as known, [C] float32."""

    @property
    def batch_key(self) -> Hashable:
        """What tiles have in common that may share a call."""
        average_count = 0 if self.averages is None else len(self.averages)
        return (tuple(self.tile.shape), self.survey is not None, average_count)


def plan_tiles(
    width: int,
    height: int,
    tile: int,
    overlap: int,
    *,
    feather: bool = True,
    full: bool = False,
) -> tuple[TileBox, ...]:
    """Cover a picture with tiles of one shape, in reading order.

    `tile` is what each tile adds, `overlap` the context around it: the network sees at most
    `tile + 2·overlap` pixels a side, and exactly that with `full` wherever the picture is larger.
    Without `feather` the tiles meet in hard cuts.

    Raises:
        ValueError: a side is not positive, or the overlap is negative.
    """
    if min(width, height, tile) < 1 or overlap < 0:
        raise ValueError(
            f"A picture of {width}×{height} cannot be cut with tile {tile} and overlap {overlap}."
        )
    columns = split_axis(width, tile, overlap, feather=feather, full=full)
    rows = split_axis(height, tile, overlap, feather=feather, full=full)
    return tuple(TileBox(column, row) for row in rows for column in columns)


def split_axis(
    length: int, tile: int, overlap: int, *, feather: bool, full: bool = False
) -> tuple[TileAxis, ...]:
    """Split one axis evenly into as few spans as the largest side allows."""
    largest = tile + 2 * overlap
    count = 1 if length <= largest else -(-(length - 2 * overlap) // tile)
    snug = -(-(length + (count - 1) * 2 * overlap) // count)
    side = min(largest, -(-snug // SIDE_STEP) * SIDE_STEP)
    if full and count > 1:
        side = largest
    if count == 1:
        return (TileAxis(0, length, max(side, length), (0, 0), (length, length)),)
    starts = [index * (length - side) // (count - 1) for index in range(count)]
    stride = min(next_start - previous_start for previous_start, next_start in pairwise(starts))
    reach = min(overlap, stride // 2) if feather else 0
    middles = [
        (previous_start + side + next_start) // 2 for previous_start, next_start in pairwise(starts)
    ]
    zones = [(0, 0), *((m - reach, m + reach) for m in middles), (length, length)]
    return tuple(
        TileAxis(start, side, side, head, tail)
        for start, (head, tail) in zip(starts, pairwise(zones), strict=True)
    )


def cut_tile(image: Bytes, box: TileBox) -> Tensor:
    """Cut one tile out of a picture.

    `picture` is [H, W, 3] uint8; the tile is [3, h, w] float32 in 0..1, its right and bottom
    mirrored where the picture is smaller than the tile.
    """
    x_axis, y_axis = box.across, box.down
    part = image[y_axis.start : y_axis.start + y_axis.length, x_axis.start :][:, : x_axis.length]
    missing = ((0, y_axis.padded - y_axis.length), (0, x_axis.padded - x_axis.length), (0, 0))
    if any(pad_after for _, pad_after in missing):
        part = np.pad(part, missing, mode="reflect")
    return torch.from_numpy(part.transpose(2, 0, 1).astype(np.float32) / 255)


def _linear_ramp(
    positions: npt.NDArray[np.float64], zone: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """Climb linearly from 0 to 1 across a zone; step where it is empty."""
    begin, end = zone
    if begin == end:
        return (positions >= begin).astype(np.float64)
    return np.clip((positions - begin) / (end - begin), 0, 1)
