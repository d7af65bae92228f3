from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.images.arrays import to_array
from inference.images.colour.correction import LUMINOSITY_WEIGHTS, correct_colours, with_luminosity
from inference.images.colour.lab import to_lab, to_rgb
from tests.inference.images.samples import cat, noise


def tinted(image):
    return Image.fromarray(np.clip(np.asarray(image) * [1.12, 0.96, 0.85], 0, 255).astype(np.uint8))


def colour_distance(first, second):
    difference = to_lab(to_array(first)) - to_lab(to_array(second))
    return np.abs(difference[..., 1:]).mean()


def test_a_tint_is_taken_out():
    source = cat()
    shifted = tinted(source)
    assert (
        colour_distance(correct_colours(shifted, source), source)
        < colour_distance(shifted, source) / 3
    )


def test_luminosity_stays():
    shifted = tinted(cat())
    lum = [
        (to_array(p) * LUMINOSITY_WEIGHTS).sum(-1)
        for p in (shifted, correct_colours(shifted, cat()))
    ]
    assert np.abs(lum[0] - lum[1]).max() <= 1.01 / 255


def test_the_same_picture_stays_itself():
    difference = np.asarray(correct_colours(cat(), cat())).astype(int) - np.asarray(cat())
    assert np.abs(difference).max() <= 1


def test_sizes_may_differ():
    assert correct_colours(noise(40, 30), cat()).size == (40, 30)


def test_luminosity_blend_stays_in_range():
    first, second = to_array(noise(64, 64, 1)), to_array(noise(64, 64, 2))
    out = with_luminosity(first, second)
    assert out.min() >= 0
    assert out.max() <= 1
    expected = (second * LUMINOSITY_WEIGHTS).sum(-1)
    np.testing.assert_allclose(expected, (out * LUMINOSITY_WEIGHTS).sum(-1), atol=1e-4)


def reference_quantiles(values, template):
    """Match histograms value by value: each takes the template's value of the same rank."""
    levels = np.unique(template)
    ranks = np.array([(template <= level).mean() for level in levels])
    return np.array([np.interp((values <= value).mean(), ranks, levels) for value in values])


def reference_luminosity(colour, luminosity):
    """SetLum and ClipColor of the blending specification, a pixel at a time."""
    weigh = np.array([0.3, 0.59, 0.11])
    colour = colour + (luminosity @ weigh - colour @ weigh)
    level = colour @ weigh
    if colour.min() < 0:
        colour = level + (colour - level) * level / (level - colour.min())
    if colour.max() > 1:
        colour = level + (colour - level) * (1 - level) / (colour.max() - level)
    return colour


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_correction_is_that_of_a_plain_reference(seed):
    rng = np.random.default_rng(seed)
    result, target = (
        Image.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8))
        for shape in ((7, 9), (5, 6))
    )
    lab, wanted = (to_lab(np.asarray(p) / 255).reshape(-1, 3) for p in (result, target))
    matched = np.stack([reference_quantiles(lab[:, c], wanted[:, c]) for c in range(3)], axis=-1)
    rgb, before = to_rgb(matched).astype(float), np.asarray(result).reshape(-1, 3) / 255
    expected = [reference_luminosity(a, b) for a, b in zip(rgb, before, strict=True)]
    actual = np.asarray(correct_colours(result, target)).reshape(-1, 3)
    assert np.abs(np.array(expected) * 255 - actual).max() <= 1
