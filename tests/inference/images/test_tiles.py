from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.images.tiles import combine_tiles, cut_tiles, inner_tile_mask, make_tile_grid
from tests.inference.images.samples import noise


def test_worked_numbers():
    square = make_tile_grid(1024, 1024, 512, 512, 64)
    assert (square.xs, square.ys) == ((0, 256, 512), (0, 256, 512))
    wide = make_tile_grid(1536, 1024, 512, 512, 64)
    assert (wide.xs, wide.ys) == ((0, 341, 682, 1024), (0, 256, 512))
    assert 12 == len(wide) == len(wide.tile_boxes)
    assert (
        make_tile_grid(512, 512, 512, 512, 64).xs,
        make_tile_grid(512, 512, 512, 512, 64).ys,
    ) == ((0,), (0,))


@st.composite
def grids(draw, most=2000):
    width, height = draw(st.integers(1, most)), draw(st.integers(1, most))
    tile_width, tile_height = draw(st.integers(2, 600)), draw(st.integers(2, 600))
    overlap = draw(st.integers(0, min(tile_width, tile_height) * 2 // 3))
    return make_tile_grid(width, height, tile_width, tile_height, overlap)


@settings(deadline=None)
@given(grids())
def test_tiles_cover_and_overlap(grid):
    for starts, tile, length in (
        (grid.xs, grid.tile_width, grid.width),
        (grid.ys, grid.tile_height, grid.height),
    ):
        assert starts[0] == 0
        assert length == starts[-1] + tile
        gaps = [b - a for a, b in itertools.pairwise(starts)]
        assert all(0 < gap <= tile - grid.overlap for gap in gaps)
        assert not gaps or max(gaps) - min(gaps) <= 2


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 130),
    st.integers(1, 130),
    st.integers(4, 60),
    st.integers(4, 60),
    st.integers(0, 40),
    st.sampled_from(["RGB", "L", "RGBA"]),
)
def test_unchanged_tiles_give_the_picture_back(width, height, tile_w, tile_h, overlap, mode):
    image = noise(width, height, mode=mode)
    grid = make_tile_grid(width, height, tile_w, tile_h, min(overlap, tile_w - 1, tile_h - 1))
    combined = combine_tiles(grid, cut_tiles(image, grid))
    assert mode == combined.mode
    if mode != "RGBA":
        assert image.tobytes() == combined.tobytes()
    else:
        difference = np.asarray(image).astype(int) - np.asarray(combined)
        assert np.abs(difference).max() <= 1


def test_ramps_are_linear_across_the_overlap():
    grid = make_tile_grid(90, 50, 50, 50, 10)
    tiles = [Image.new("L", (50, 50), 0), Image.new("L", (50, 50), 255)]
    row = np.asarray(combine_tiles(grid, tiles))[25]
    assert row[40] == 0
    np.testing.assert_array_equal([i * 255 // 10 for i in range(10)], row[40:50])
    assert np.all(row[50:] == 255)


def test_rows_fade_too():
    grid = make_tile_grid(20, 38, 20, 20, 2)
    column = np.asarray(combine_tiles(grid, [Image.new("L", (20, 20), g) for g in (0, 200)]))[:, 7]
    assert [column[17], column[18], column[20]] == [0, 0, 200]
    assert 95 <= column[19] <= 105


def test_scaled_grid_combines_enlarged_tiles():
    image = noise(70, 40)
    grid = make_tile_grid(70, 40, 32, 32, 8)
    doubled = [tile.resize((64, 64), Image.Resampling.NEAREST) for tile in cut_tiles(image, grid)]
    expected = image.resize((140, 80), Image.Resampling.NEAREST)
    assert expected.tobytes() == combine_tiles(grid.scaled_by(2), doubled).tobytes()


def test_refusals():
    with pytest.raises(ValueError, match="overlap of 64"):
        make_tile_grid(200, 200, 64, 64, 64)
    with pytest.raises(ValueError, match="overlap of -1"):
        make_tile_grid(200, 200, 64, 64, -1)
    with pytest.raises(ValueError, match="1 × 1"):
        make_tile_grid(0, 5, 4, 4, 0)
    with pytest.raises(ValueError, match="4 tiles of 32 × 32"):
        combine_tiles(make_tile_grid(40, 40, 32, 32, 8), [Image.new("L", (32, 32))])


@settings(max_examples=40)
@given(grids(most=150), st.integers(0, 9))
def test_inner_is_what_lies_off_every_border_with_another_tile(grid, width):
    for number, (left, upper, right, lower) in enumerate(grid.tile_boxes):
        ys, xs = np.mgrid[upper:lower, left:right]
        near = (left > 0) & (xs < left + width) | (right < grid.width) & (xs >= right - width)
        near |= (upper > 0) & (ys < upper + width) | (lower < grid.height) & (ys >= lower - width)
        np.testing.assert_array_equal(~near, inner_tile_mask(grid, number, width) == 1)


def reference_starts(length, tile, overlap):
    """The formulas as they are written down."""
    count = math.ceil((length - overlap) / (tile - overlap))
    step = (length - tile) / (count - 1) if count > 1 else 0
    return tuple(min(int(index * step), length - tile) for index in range(count))


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_the_grid_is_that_of_the_formulas(data):
    width, height, tile_w, tile_h = (data.draw(st.integers(8, 3000)) for _ in range(4))
    tile_w, tile_h = min(tile_w, width), min(tile_h, height)
    overlap = data.draw(st.integers(0, min(256, tile_w - 1, tile_h - 1)))
    grid = make_tile_grid(width, height, tile_w, tile_h, overlap)
    for starts, length, tile in ((grid.xs, width, tile_w), (grid.ys, height, tile_h)):
        expected = reference_starts(length, tile, overlap)
        assert expected[:-1] == starts[:-1]
        # The step is a float: the last tile may fall a pixel short, and is set by hand.
        assert starts[-1] == length - tile
        assert expected[-1] in (starts[-1], starts[-1] - 1)


def reference_row(tiles, starts, length, overlap):
    """Lay tiles [h, tile] side by side: a ramp over exactly the overlap, then overwriting."""
    row = np.zeros((len(tiles[0]), length))
    for start, tile in zip(starts, tiles, strict=True):
        share = np.ones(tile.shape[1])
        if start:
            share[:overlap] = np.floor(np.arange(overlap) * 255 / max(overlap, 1)) / 255
        there = row[:, start : start + tile.shape[1]]
        row[:, start : start + tile.shape[1]] = np.rint(tile * share + there * (1 - share))
    return row


@settings(max_examples=80, deadline=None)
@given(grids(most=200), st.integers(0, 99))
def test_combining_is_that_of_a_plain_reference(grid, seed):
    rng = np.random.default_rng(seed)
    tiles = rng.integers(0, 256, (len(grid), grid.tile_height, grid.tile_width), dtype=np.uint8)
    across = len(grid.xs)
    rows = [
        reference_row(
            tiles[first : first + across].astype(float), grid.xs, grid.width, grid.overlap
        )
        for first in range(0, len(grid), across)
    ]
    expected = reference_row([row.T for row in rows], grid.ys, grid.height, grid.overlap).T
    actual = np.asarray(combine_tiles(grid, [Image.fromarray(tile) for tile in tiles])).astype(int)
    assert np.abs(expected - actual).max() <= 2
