"""Cut a picture into overlapping tiles and put it together again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from inference.api.jobs.sizes import compute_tile_offsets
from inference.images.arrays import FloatArray
from inference.images.regions import Box


@dataclass(frozen=True)
class TileGrid:
    """Where the tiles of a picture lie, in pixels.

    Every pixel lies in a tile; neighbours share at least `overlap` pixels.
    """

    width: int
    height: int
    tile_width: int
    tile_height: int
    overlap: int
    #: Left border of each column.
    xs: tuple[int, ...]
    #: Upper border of each row.
    ys: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.xs) * len(self.ys)

    @property
    def tile_boxes(self) -> list[Box]:
        """The tiles' boxes, row by row."""
        return [(x, y, x + self.tile_width, y + self.tile_height) for y in self.ys for x in self.xs]

    def scaled_by(self, factor: int) -> TileGrid:
        """Return the grid of the same tiles after each was enlarged by a whole factor."""
        return TileGrid(
            self.width * factor,
            self.height * factor,
            self.tile_width * factor,
            self.tile_height * factor,
            self.overlap * factor,
            tuple(x * factor for x in self.xs),
            tuple(y * factor for y in self.ys),
        )


def make_tile_grid(
    width: int, height: int, tile_width: int, tile_height: int, overlap: int
) -> TileGrid:
    """Spread tiles evenly over a picture, neighbours sharing at least `overlap` pixels.

    A tile is never larger than the picture.

    Raises:
        ValueError: a size below 1, or an overlap that leaves a tile nothing of its own.
    """
    if min(width, height, tile_width, tile_height) < 1:
        raise ValueError("Pictures and tiles need at least 1 × 1 pixels.")
    tile_width, tile_height = min(tile_width, width), min(tile_height, height)
    return TileGrid(
        width,
        height,
        tile_width,
        tile_height,
        overlap,
        compute_tile_offsets(width, tile_width, overlap),
        compute_tile_offsets(height, tile_height, overlap),
    )


def cut_tiles(image: Image.Image, grid: TileGrid) -> list[Image.Image]:
    """Return the tiles of a picture, row by row."""
    return [image.crop(box) for box in grid.tile_boxes]


def combine_tiles(grid: TileGrid, tiles: Sequence[Image.Image]) -> Image.Image:
    """Put tiles (row by row, all of the grid's tile size) together; mode of the first tile.

    Across exactly `overlap` pixels from its left border a tile fades in over the one before it in
    its row, and so does each row from its upper border over the row before; the rest overwrites.

    Raises:
        ValueError: the number or the size of the tiles is not the grid's.
    """
    size = (grid.tile_width, grid.tile_height)
    if len(tiles) != len(grid) or any(tile.size != size for tile in tiles):
        raise ValueError(f"The grid has {len(grid)} tiles of {size[0]} × {size[1]} pixels.")
    columns = len(grid.xs)
    horizontal_ramp = _fade_ramp(grid.overlap, grid.tile_height)
    vertical_ramp = _fade_ramp(grid.overlap, grid.width).transpose(Image.Transpose.TRANSPOSE)
    whole = Image.new(tiles[0].mode, (grid.width, grid.height))
    for index, y in enumerate(grid.ys):
        row = Image.new(tiles[0].mode, (grid.width, grid.tile_height))
        for x, tile in zip(grid.xs, tiles[index * columns :], strict=False):
            _paste_faded(row, tile, (x, 0), horizontal_ramp if x else None)
        _paste_faded(whole, row, (0, y), vertical_ramp if y else None)
    return whole


def inner_tile_mask(grid: TileGrid, tile_index: int, width: int) -> FloatArray:
    """Mark what of a tile lies further than `width` pixels from the borders it shares with others.

    Tile height × width, float32: 1 there, 0 along those borders.
    """
    left, upper, right, lower = grid.tile_boxes[tile_index]
    inner_mask = np.ones((grid.tile_height, grid.tile_width), np.float32)
    inner_mask[: width if upper else 0] = 0
    inner_mask[:, : width if left else 0] = 0
    inner_mask[max(0, grid.tile_height - width) if lower < grid.height else lower :] = 0
    inner_mask[:, max(0, grid.tile_width - width) if right < grid.width else right :] = 0
    return inner_mask


def _paste_faded(
    canvas: Image.Image, piece: Image.Image, place: tuple[int, int], ramp: Image.Image | None
) -> None:
    """Paste a piece, fading in across its left or its upper border where there is a ramp."""
    if ramp is None:
        canvas.paste(piece, place)
        return
    fading = Image.new("L", piece.size, 255)
    fading.paste(ramp, (0, 0))
    canvas.paste(piece, place, fading)


def _fade_ramp(length: int, thickness: int) -> Image.Image:
    """Return a mask `length` wide that rises evenly from 0 towards 255."""
    values = np.arange(length) * 255 // max(length, 1)
    return Image.fromarray(np.tile(values.astype(np.uint8), (thickness, 1)))
