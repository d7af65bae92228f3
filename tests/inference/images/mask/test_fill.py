from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from inference.images.errors import FullyTransparent
from inference.images.mask.fill import drop_alpha, fill_masked, flatten_alpha
from tests.inference.images.samples import boxes, cat, noise, rectangle


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_known_pixels_return(data):
    width, height = data.draw(st.integers(8, 60)), data.draw(st.integers(8, 60))
    image = noise(width, height)
    mask = rectangle((width, height), data.draw(boxes(width, height)))
    filled = np.asarray(fill_masked(image, mask))
    known = np.asarray(mask) == 0
    assert np.array_equal(np.asarray(image)[known], filled[known])


def test_holes_take_the_colours_around_them():
    image = Image.new("RGB", (96, 96), (200, 30, 90))
    image.paste((0, 255, 0), (32, 32, 64, 64))
    filled = np.asarray(fill_masked(image, rectangle((96, 96), (32, 32, 64, 64)))).astype(int)
    assert np.abs(filled - [200, 30, 90]).max() <= 6


def test_near_colours_count_more():
    image = Image.new("RGB", (120, 60), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 60, 60))
    filled = np.asarray(fill_masked(image, rectangle((120, 60), (40, 10, 80, 50)))).astype(int)
    assert filled[30, 42, 0] > filled[30, 77, 0] + 60


def test_a_large_hole_in_a_photograph_is_smooth():
    filled = np.asarray(fill_masked(cat(), rectangle((451, 300), (100, 60, 300, 220)))).astype(int)
    inside = filled[80:200, 120:280]
    assert inside.min() > 30
    assert np.abs(np.diff(inside, axis=1)).max() <= 12


def test_flatten():
    image = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    image.putpixel((1, 0), (10, 20, 30, 0))
    assert [flatten_alpha(image, (1, 2, 3)).getpixel((x, 0)) for x in (0, 1)] == [
        (10, 20, 30),
        (1, 2, 3),
    ]
    assert flatten_alpha(image).getpixel((1, 0)) == (255, 255, 255)
    assert flatten_alpha(Image.new("L", (2, 2))).mode == "RGB"
    with pytest.raises(FullyTransparent, match="something visible"):
        flatten_alpha(Image.new("RGBA", (4, 4)))


def test_drop_alpha_shows_hidden_colours():
    hidden = Image.new("RGBA", (1, 1), (9, 8, 7, 0))
    assert drop_alpha(hidden).getpixel((0, 0)) == (9, 8, 7)


def reference_fill(image, mask):
    """The pyramid in floats: each blur of the premultiplied, holed picture over what lies there."""
    alpha = 1 - np.asarray(mask, float)[..., None] / 255
    holed = np.concatenate([np.asarray(image, float) / 255 * alpha, alpha], axis=-1)
    filled = np.zeros_like(holed)
    for radius, repeats in ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1)):
        layer = blurred(holed, radius)
        for _ in range(repeats):
            filled = layer + filled * (1 - layer[..., 3:])
    return filled[..., :3] / np.maximum(filled[..., 3:], 1e-9) * 255


def blurred(holed, radius):
    """A gaussian over a picture whose outermost pixels go on for ever."""
    sigmas = (radius, radius, 0)
    return ndimage.gaussian_filter(holed, sigmas, mode="nearest") if radius else holed


@pytest.mark.parametrize("seed", range(4))
def test_the_pyramid_is_that_of_a_plain_reference(seed):
    """Pillow's gaussian is three box blurs: the means agree, single pixels within some levels."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 7, 3), dtype=np.uint8))
    image = small.resize((140, 120), Image.Resampling.BICUBIC)
    x, y = (int(at) for at in rng.integers(10, 60, 2))
    mask = rectangle((140, 120), (x, y, x + 40, y + 30))
    difference = np.asarray(fill_masked(image, mask), float) - reference_fill(image, mask)
    assert np.abs(difference).mean() < 1
    assert np.abs(difference).max() < 24
