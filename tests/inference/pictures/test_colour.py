from __future__ import annotations

import numpy as np
from PIL import Image

from inference.pictures.arrays import to_array
from inference.pictures.colour import LUMINOSITY, correct, with_luminosity
from inference.pictures.lab import to_lab
from tests.inference.pictures.samples import cat, noise


def tinted(picture):
    return Image.fromarray(
        np.clip(np.asarray(picture) * [1.12, 0.96, 0.85], 0, 255).astype(np.uint8)
    )


def colour_distance(first, second):
    difference = to_lab(to_array(first)) - to_lab(to_array(second))
    return np.abs(difference[..., 1:]).mean()


def test_a_tint_is_taken_out():
    source = cat()
    shifted = tinted(source)
    assert colour_distance(correct(shifted, source), source) < colour_distance(shifted, source) / 3


def test_luminosity_stays():
    shifted = tinted(cat())
    lum = [(to_array(p) * LUMINOSITY).sum(-1) for p in (shifted, correct(shifted, cat()))]
    assert np.abs(lum[0] - lum[1]).max() <= 1.01 / 255


def test_the_same_picture_stays_itself():
    difference = np.asarray(correct(cat(), cat())).astype(int) - np.asarray(cat())
    assert np.abs(difference).max() <= 1


def test_sizes_may_differ():
    assert correct(noise(40, 30), cat()).size == (40, 30)


def test_luminosity_blend_stays_in_range():
    first, second = to_array(noise(64, 64, 1)), to_array(noise(64, 64, 2))
    out = with_luminosity(first, second)
    assert out.min() >= 0
    assert out.max() <= 1
    expected = (second * LUMINOSITY).sum(-1)
    np.testing.assert_allclose(expected, (out * LUMINOSITY).sum(-1), atol=1e-4)
