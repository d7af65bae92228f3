import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.upscaling.tiling.stitcher import TileCompositor
from inference.upscaling.tiling.tiles import TileBox, plan_tiles

PLANS = st.builds(
    lambda width, height, tile, overlap, feather: plan_tiles(
        width, height, tile, overlap, feather=feather
    ),
    st.integers(1, 150),
    st.integers(1, 150),
    st.integers(8, 64),
    st.integers(0, 16),
    st.booleans(),
)


def padded_shape(box: TileBox, scale: int) -> tuple[int, int, int]:
    return (3, box.down.padded * scale, box.across.padded * scale)


def constant(box: TileBox, scale: int, level: int) -> torch.Tensor:
    return torch.full(padded_shape(box, scale), level / 255)


@settings(deadline=None, max_examples=50)
@given(boxes=PLANS, scale=st.integers(1, 3), level=st.integers(0, 255))
def test_covers_every_pixel_with_whole_shares(
    boxes: tuple[TileBox, ...], scale: int, level: int
) -> None:
    stitcher = TileCompositor(boxes, scale)

    for box in boxes:
        stitcher.add_tile(box, constant(box, scale, level))
    image = stitcher.finished_image()

    assert (boxes[-1].down.tail[1] * scale, boxes[-1].across.tail[1] * scale, 3) == image.shape
    assert set(np.unique(image).tolist()) == {level}


@settings(deadline=None, max_examples=50)
@given(boxes=PLANS, seed=st.integers(0, 99))
def test_the_order_of_the_tiles_changes_no_bit(boxes: tuple[TileBox, ...], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    tiles = [(box, torch.rand(padded_shape(box, 1), generator=generator)) for box in boxes]
    shuffled = random.Random(seed).sample(tiles, len(tiles))

    images = []
    for order in (tiles, shuffled):
        stitcher = TileCompositor(boxes, 1)
        for box, tile in order:
            stitcher.add_tile(box, tile)
        images.append(stitcher.finished_image())

    np.testing.assert_array_equal(images[0], images[1])


def test_feathered_tiles_fade_into_each_other_without_a_jump() -> None:
    boxes = plan_tiles(112, 16, 32, 16)
    stitcher = TileCompositor(boxes, 2)

    for number, box in enumerate(boxes):
        stitcher.add_tile(box, constant(box, 2, 100 if number % 2 else 200))
    row = stitcher.finished_image()[0, :, 0].astype(int)

    assert row[0] == 200
    assert np.abs(np.diff(row)).max() <= 100 / 48 + 1  # the tiles step by 24 input pixels here


def test_keeps_only_the_bands_still_waiting() -> None:
    boxes = plan_tiles(64, 640, 32, 8)
    stitcher = TileCompositor(boxes, 1)
    most = 0

    for box in boxes:
        stitcher.add_tile(box, constant(box, 1, 7))
        most = max(most, sum(array.shape[0] for array in stitcher._sums.values()))

    assert most <= 2 * boxes[0].down.padded
    assert stitcher._sums == {}


def test_refuses_a_tile_of_another_shape() -> None:
    [box] = plan_tiles(32, 32, 64, 0)

    with pytest.raises(ValueError, match=r"shape \(3, 64, 64\), got \(3, 32, 32\)"):
        TileCompositor((box,), 2).add_tile(box, torch.zeros(3, 32, 32))


def test_refuses_the_same_tile_twice() -> None:
    [box] = plan_tiles(32, 32, 64, 0)
    stitcher = TileCompositor((box,), 1)
    stitcher.add_tile(box, torch.zeros(3, 32, 32))

    with pytest.raises(ValueError, match="not waited for"):
        stitcher.add_tile(box, torch.zeros(3, 32, 32))


def test_refuses_to_hand_out_half_a_picture() -> None:
    boxes = plan_tiles(100, 32, 32, 0)

    with pytest.raises(ValueError, match="4 tiles are still missing"):
        TileCompositor(boxes, 1).finished_image()


def test_rounds_and_clamps() -> None:
    [box] = plan_tiles(32, 32, 32, 0)
    stitcher = TileCompositor((box,), 1)
    tile = torch.tensor([-0.5, 0.5, 1.5])[:, None, None].expand(3, 32, 32)

    stitcher.add_tile(box, tile)

    assert stitcher.finished_image()[3, 3].tolist() == [0, 128, 255]
