import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.upscaling.tiling.tiles import cut_tile, plan_tiles, split_axis

SIZES = st.integers(1, 700)
TILES = st.integers(1, 300)
OVERLAPS = st.integers(0, 40)


@settings(deadline=None)
@given(length=SIZES, tile=TILES, overlap=OVERLAPS, feather=st.booleans())
def test_shares_of_an_axis_add_up_to_one(
    length: int, tile: int, overlap: int, feather: bool
) -> None:
    total = np.zeros(length * 2, np.float64)

    for span in split_axis(length, tile, overlap, feather=feather):
        total[span.head[0] * 2 : span.tail[1] * 2] += span.blend_weights(2)

    np.testing.assert_allclose(total, 1, atol=1e-6)


@settings(deadline=None)
@given(length=SIZES, tile=TILES, overlap=OVERLAPS)
def test_kept_pixels_lie_the_overlap_away_from_inner_edges(
    length: int, tile: int, overlap: int
) -> None:
    for span in split_axis(length, tile, overlap, feather=False):
        assert span.start == 0 or span.head[0] - span.start >= overlap
        assert span.start + span.length == length or (
            span.start + span.length - span.tail[1] >= overlap
        )


@settings(deadline=None)
@given(length=SIZES, tile=TILES, overlap=OVERLAPS, feather=st.booleans())
def test_spans_share_one_length_within_the_bound(
    length: int, tile: int, overlap: int, feather: bool
) -> None:
    spans = split_axis(length, tile, overlap, feather=feather)

    assert len({span.padded for span in spans}) == 1
    assert spans[0].padded <= tile + 2 * overlap
    for span in spans:
        assert 0 <= span.start <= span.head[0] <= span.head[1]
        assert span.tail[0] <= span.tail[1] <= span.start + span.length <= length
        assert span.length <= span.padded


def test_a_picture_that_fits_is_one_tile() -> None:
    [box] = plan_tiles(300, 200, 256, 32)

    assert (box.across.length, box.across.padded) == (300, 320)
    assert (box.down.length, box.down.padded) == (200, 224)


def test_tiles_spread_evenly() -> None:
    boxes = plan_tiles(512, 512, 256, 32)

    assert [box.across.start for box in boxes] == [0, 224, 0, 224]
    assert {box.across.padded for box in boxes} == {288}


@pytest.mark.parametrize(
    ("width", "height", "tile", "overlap"), [(0, 9, 64, 8), (9, 9, 0, 8), (9, 9, 8, -1)]
)
def test_refuses_what_cannot_be_cut(width: int, height: int, tile: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="cannot be cut"):
        plan_tiles(width, height, tile, overlap)


def test_a_tile_is_rgb_in_0_to_1() -> None:
    image = np.full((40, 50, 3), (0, 51, 255), np.uint8)

    [box] = plan_tiles(50, 40, 256, 18)
    tile = cut_tile(image, box)

    assert torch.float32 == tile.dtype
    assert tuple(tile.shape) == (3, 64, 64)
    assert tile[:, 63, 63].tolist() == [0.0, pytest.approx(0.2), 1.0]


def test_a_small_picture_is_mirrored_into_its_tile() -> None:
    image = np.repeat(np.arange(3, dtype=np.uint8)[None, :, None], 3, axis=2) * 51

    [box] = plan_tiles(3, 1, 256, 18)
    row = cut_tile(image, box)[0, 0]

    assert row[:6].tolist() == pytest.approx([0, 0.2, 0.4, 0.2, 0, 0.2])
