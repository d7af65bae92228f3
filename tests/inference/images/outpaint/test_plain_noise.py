"""Matched noise in float32 and halves of spectra is the noise of the plain way, to one level."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.images.colour.histogram import MAX_SORTED_VALUES, match_histogram
from inference.images.outpaint.matched_noise import matched_noise
from tests.inference.images.outpaint import plain_noise

PHOTO = Path(__file__).parents[4] / "bot" / "samples" / "chelsea.jpg"


@pytest.mark.parametrize("size", [(384, 256), (256, 448)])
@pytest.mark.parametrize(
    ("fall_off", "variation"), [(1.0, 0.05), (1.5, 0.3), (0.6, 0.0), (0.0, 0.05), (4.0, 0.05)]
)
def test_the_noise_is_that_of_the_plain_way(size, fall_off, variation):
    image = np.asarray(Image.open(PHOTO).convert("RGB").resize(size), np.float32) / 255
    mask = np.zeros(image.shape[:2], np.float32)
    mask[:, size[0] // 2 :] = 1
    mask[:100] = 1
    settings = {"fall_off": fall_off, "colour_variation": variation, "seed": 3}

    actual = matched_noise(image, mask, **settings)
    expected = plain_noise.matched_noise(image, mask, **settings)

    difference = np.abs(actual - expected) * 255
    assert difference.max() <= 1
    assert np.array_equal(actual[mask == 0], image[mask == 0])


def test_many_values_are_matched_as_few_are():
    generator = np.random.default_rng(0)
    values = generator.normal(size=2 * MAX_SORTED_VALUES).astype(np.float32)
    template = generator.integers(0, 256, 3 * MAX_SORTED_VALUES).astype(np.float32) / 255

    actual = match_histogram(values, template)
    assert np.abs(actual - plain_noise.match_histogram(values, template)).max() * 255 <= 1
