from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.images.errors import BlankMask
from inference.images.regions import (
    ResolutionGain,
    bounding_box,
    crop_region,
    expand_to_ratio,
    pad_box,
)
from tests.inference.images.samples import boxes, rectangle


@pytest.mark.parametrize(
    ("box", "render", "size", "expected"),
    [
        ((100, 100, 228, 132), (512, 512), (512, 512), (100, 52, 228, 180)),
        ((0, 0, 64, 300), (512, 512), (512, 512), (0, 0, 300, 300)),
        ((900, 900, 1000, 1000), (768, 512), (1024, 1024), (874, 900, 1024, 1000)),
        ((10, 10, 20, 20), (512, 512), (512, 512), (10, 10, 20, 20)),
        ((10, 10, 20, 15), (512, 512), (512, 512), (10, 8, 20, 18)),
        ((0, 0, 400, 40), (512, 512), (400, 100), (0, 0, 400, 100)),
    ],
)
def test_expand_to_ratio(box, render, size, expected):
    assert expand_to_ratio(box, render, size) == expected


@settings(deadline=None)
@given(st.data())
def test_expansion_covers_stays_inside_and_has_the_ratio(data):
    width, height = data.draw(st.integers(1, 900)), data.draw(st.integers(1, 900))
    render = data.draw(st.tuples(st.integers(8, 256), st.integers(8, 256)))
    box = data.draw(boxes(width, height))
    left, upper, right, lower = expand_to_ratio(box, render, (width, height))
    assert 0 <= left <= box[0]
    assert 0 <= upper <= box[1]
    assert box[2] <= right <= width
    assert box[3] <= lower <= height
    across, down = right - left, lower - upper
    clipped = across == width or down == height
    assert clipped or abs(across * render[1] - down * render[0]) <= max(render)


def test_pad():
    assert pad_box((2, 10, 30, 38), 3, (100, 40)) == (0, 7, 33, 40)


def test_bounding_box():
    assert bounding_box(rectangle((20, 20), (3, 4, 9, 8))) == (3, 4, 9, 8)
    with pytest.raises(BlankMask, match="no white pixel"):
        bounding_box(Image.new("L", (9, 9)))


def test_crop_region():
    mask = rectangle((512, 512), (200, 200, 300, 260))
    assert crop_region(mask, 32, (512, 512)) == (168, 148, 332, 312)


def test_gain():
    gain = ResolutionGain((100, 100, 265, 265), (512, 512))
    assert str(gain) == "3.1x"
    assert ResolutionGain((0, 0, 100, 50), (200, 400)).scale_factor == 2.0


def reference_box(mask, padding, render):
    """The steps as written down: bounds, padding, then one axis grown, slid and clipped."""
    rows, columns = (np.flatnonzero(np.asarray(mask).any(axis)) for axis in (1, 0))
    width, height = mask.size
    x1, y1 = max(0, columns[0] - padding), max(0, rows[0] - padding)
    x2, y2 = min(width, columns[-1] + 1 + padding), min(height, rows[-1] + 1 + padding)
    target = render[0] / render[1]
    if (x2 - x1) / (y2 - y1) > target:
        y1, y2 = reference_growth(y1, y2, (x2 - x1) / target, height)
    else:
        x1, x2 = reference_growth(x1, x2, (y2 - y1) * target, width)
    return x1, y1, x2, y2


def reference_growth(near, far, wanted, limit):
    missing = int(wanted - (far - near))
    near, far = near - missing // 2, far + (missing - missing // 2)
    if far >= limit:
        near, far = near - (far - limit), limit
    if near < 0:
        near, far = 0, far - near
    return near, min(far, limit)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_the_crop_region_is_that_of_a_plain_reference(data):
    width, height = data.draw(st.integers(1, 400)), data.draw(st.integers(1, 400))
    render = data.draw(st.tuples(st.integers(8, 256), st.integers(8, 256)))
    mask = rectangle((width, height), data.draw(boxes(width, height)))
    mask.putpixel((data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))), 1)
    padding = data.draw(st.integers(0, 256))
    assert reference_box(mask, padding, render) == crop_region(mask, padding, render)
