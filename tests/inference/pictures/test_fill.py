from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.pictures.errors import FullyTransparent
from inference.pictures.fill import drop_alpha, fill, flatten
from tests.inference.pictures.samples import boxes, cat, noise, rectangle


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_known_pixels_return(data):
    width, height = data.draw(st.integers(8, 60)), data.draw(st.integers(8, 60))
    picture = noise(width, height)
    mask = rectangle((width, height), data.draw(boxes(width, height)))
    filled = np.asarray(fill(picture, mask))
    known = np.asarray(mask) == 0
    assert np.array_equal(np.asarray(picture)[known], filled[known])


def test_holes_take_the_colours_around_them():
    picture = Image.new("RGB", (96, 96), (200, 30, 90))
    picture.paste((0, 255, 0), (32, 32, 64, 64))
    filled = np.asarray(fill(picture, rectangle((96, 96), (32, 32, 64, 64)))).astype(int)
    assert np.abs(filled - [200, 30, 90]).max() <= 6


def test_near_colours_count_more():
    picture = Image.new("RGB", (120, 60), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, 60, 60))
    filled = np.asarray(fill(picture, rectangle((120, 60), (40, 10, 80, 50)))).astype(int)
    assert filled[30, 42, 0] > filled[30, 77, 0] + 60


def test_a_large_hole_in_a_photograph_is_smooth():
    filled = np.asarray(fill(cat(), rectangle((451, 300), (100, 60, 300, 220)))).astype(int)
    inside = filled[80:200, 120:280]
    assert inside.min() > 30
    assert np.abs(np.diff(inside, axis=1)).max() <= 12


def test_flatten():
    picture = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    picture.putpixel((1, 0), (10, 20, 30, 0))
    assert [flatten(picture, (1, 2, 3)).getpixel((x, 0)) for x in (0, 1)] == [
        (10, 20, 30),
        (1, 2, 3),
    ]
    assert flatten(picture).getpixel((1, 0)) == (255, 255, 255)
    assert flatten(Image.new("L", (2, 2))).mode == "RGB"
    with pytest.raises(FullyTransparent, match="something visible"):
        flatten(Image.new("RGBA", (4, 4)))


def test_drop_alpha_shows_hidden_colours():
    hidden = Image.new("RGBA", (1, 1), (9, 8, 7, 0))
    assert drop_alpha(hidden).getpixel((0, 0)) == (9, 8, 7)
