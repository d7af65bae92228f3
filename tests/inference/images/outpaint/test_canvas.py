from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.api.jobs.names import OUTPAINT_PRESETS
from inference.api.jobs.sizes import PRESET_MARGINS, Margins, round_up
from inference.images.errors import CanvasTooLarge, NothingToExtend
from inference.images.outpaint.canvas import (
    OutpaintCanvas,
    check_pixels,
    grow_canvas,
    paste_source,
    preset_amounts,
)
from tests.inference.images.samples import noise

SIDES = st.integers(0, 512)


@pytest.mark.parametrize(
    ("size", "amounts", "expected"),
    [
        ((512, 512), Margins(128, 128, 128, 128), OutpaintCanvas(768, 768, 128, 128, 128, 128)),
        ((500, 512), Margins(left=128), OutpaintCanvas(640, 512, 140, 0, 0, 0)),
        ((512, 700), Margins(up=128, down=128), OutpaintCanvas(512, 960, 0, 0, 130, 130)),
        ((500, 512), Margins(right=128), OutpaintCanvas(640, 512, 0, 140, 0, 0)),
        ((500, 500), Margins(left=100, right=50), OutpaintCanvas(704, 512, 136, 68, 0, 0)),
    ],
)
def test_worked_numbers(size, amounts, expected):
    assert grow_canvas(*size, amounts) == expected


@settings(deadline=None)
@given(st.integers(8, 2000), st.integers(8, 2000), SIDES, SIDES, SIDES, SIDES)
def test_growth(width, height, left, right, up, down):
    if not (left or right or up or down):
        return
    grown = grow_canvas(width, height, Margins(left, right, up, down))
    assert 0 == grown.width % 64 == grown.height % 64
    assert width + left + right <= grown.width < width + left + right + 64
    for asked, given_ in (
        (left, grown.left),
        (right, grown.right),
        (up, grown.up),
        (down, grown.down),
    ):
        assert given_ >= asked
        assert bool(asked) == bool(given_)
    if left or right:
        assert grown.width == grown.left + width + grown.right
    box = grown.source_box((width, height))
    assert (width, height) == (box[2] - box[0], box[3] - box[1])
    result = grown.result_box((width, height))
    assert result[2] == (grown.width if left or right else width)
    assert result[3] == (grown.height if up or down else height)


def test_refusals():
    with pytest.raises(NothingToExtend, match="0 pixels"):
        grow_canvas(512, 512, Margins())
    with pytest.raises(ValueError, match="less than 0"):
        grow_canvas(512, 512, Margins(left=-1, right=3))


def test_largest_that_fits():
    fits = check_pixels(512, 512, Margins(left=128), 640 * 512)
    assert fits.width == 640
    with pytest.raises(CanvasTooLarge, match="at most 128 pixels") as caught:
        check_pixels(512, 512, Margins(left=256, right=128), 704 * 512)
    assert caught.value.largest == 128
    with pytest.raises(CanvasTooLarge, match="smaller first") as caught:
        check_pixels(512, 512, Margins(left=256), 512 * 512)
    assert caught.value.largest is None


@settings(deadline=None)
@given(st.integers(8, 1500), st.integers(8, 1500), SIDES, SIDES, st.integers(10_000, 3_000_000))
def test_the_largest_named_does_fit(width, height, left, down, most):
    if not (left or down):
        return
    try:
        grown = check_pixels(width, height, Margins(left=left, down=down), most)
        assert grown.width * grown.height <= most
    except CanvasTooLarge as error:
        if error.largest:
            largest, wanted = error.largest, max(left, down)
            smaller = Margins(left=-(-left * largest // wanted), down=-(-down * largest // wanted))
            check_pixels(width, height, smaller, most)


def test_paste_source():
    image = noise(50, 40)
    grown = grow_canvas(50, 40, Margins(left=30, up=10))
    base = paste_source(image, grown)
    assert (grown.width, grown.height) == base.size
    assert image.tobytes() == base.crop(grown.source_box(image.size)).tobytes()
    assert base.getpixel((0, 0)) == (0, 0, 0)


def test_presets():
    assert set(OUTPAINT_PRESETS) - {"custom"} == set(PRESET_MARGINS)
    assert preset_amounts("zoom out 1.5x", 512, 512) == Margins(128, 128, 128, 128)
    assert preset_amounts("zoom out 2x", 512, 400) == Margins(256, 256, 200, 200)
    assert preset_amounts("make square", 512, 300) == Margins(0, 0, 106, 106)
    assert preset_amounts("pan right", 512, 300) == Margins(right=128)
    assert preset_amounts("pan down", 512, 300) == Margins(down=75)
    assert preset_amounts("to 16:9", 512, 512) == Margins(199, 200)
    assert preset_amounts("to 9:16", 512, 512) == Margins(0, 0, 199, 200)


@settings(deadline=None)
@given(st.sampled_from(sorted(PRESET_MARGINS)), st.integers(8, 2000), st.integers(8, 2000))
def test_any_preset_grows_or_says_why_not(name, width, height):
    try:
        amounts = preset_amounts(name, width, height)
    except NothingToExtend as error:
        assert name in str(error)
    else:
        grow_canvas(width, height, amounts)


def test_ratio_is_met_before_rounding():
    amounts = preset_amounts("to 4:3", 300, 900)
    assert 300 + amounts.left + amounts.right == 1200
    assert 64 == round_up(1) == round_up(64)


def test_unknown_preset():
    with pytest.raises(ValueError, match="to 5:4"):
        preset_amounts("to 5:4", 10, 10)


def reference_axis(length, near, far):
    """The formulas as they are written down, for one axis."""
    total = math.ceil((length + near + far) / 64) * 64
    if near > 0:
        near = near * (total - length) // (near + far)
    if far > 0:
        far = total - length - near
    return total, near, far


@settings(max_examples=500, deadline=None)
@given(st.integers(8, 2000), st.integers(8, 2000), SIDES, SIDES, SIDES, SIDES)
def test_the_canvas_is_that_of_the_formulas(width, height, left, right, up, down):
    if left or right or up or down:
        across, left_, right_ = reference_axis(width, left, right)
        high, up_, down_ = reference_axis(height, up, down)
        grown = grow_canvas(width, height, Margins(left, right, up, down))
        assert OutpaintCanvas(across, high, left_, right_, up_, down_) == grown
