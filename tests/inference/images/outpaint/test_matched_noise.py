from __future__ import annotations

import numpy as np
import pytest

from inference.images.arrays import to_array
from inference.images.outpaint.matched_noise import matched_noise
from tests.inference.images.samples import cat


@pytest.fixture(scope="module")
def scene():
    image = to_array(cat().crop((60, 20, 316, 212)))
    mask = np.zeros(image.shape[:2], dtype=np.float32)
    mask[:, 180:] = 1
    image[:, 180:] = 0
    return image, mask


def test_shape_range_and_known_pixels(scene):
    image, mask = scene
    noise = matched_noise(image, mask)
    assert image.shape == noise.shape
    assert np.float32 == noise.dtype
    assert noise.min() >= 0
    assert noise.max() <= 1
    np.testing.assert_allclose(image[:, :180], noise[:, :180], atol=1e-6)


def test_colours_are_those_of_the_known_part(scene):
    image, mask = scene
    noise = matched_noise(image, mask)[:, 180:]
    known = image[:, :180]
    np.testing.assert_allclose(known.mean(axis=(0, 1)), noise.mean(axis=(0, 1)), atol=0.01)
    for share in (0.05, 0.5, 0.95):
        np.testing.assert_allclose(
            np.quantile(known, share, axis=(0, 1)),
            np.quantile(noise, share, axis=(0, 1)),
            atol=0.02,
        )


def test_same_seed_same_noise(scene):
    assert np.array_equal(matched_noise(*scene), matched_noise(*scene))
    assert not np.array_equal(matched_noise(*scene), matched_noise(*scene, seed=1))


def test_lower_fall_off_gives_more_detail(scene):
    def roughness(noise):
        return np.abs(np.diff(noise[:, 180:], axis=0)).mean()

    smooth, rough = (matched_noise(*scene, fall_off=q) for q in (1.0, 0.2))
    assert roughness(rough) > 1.2 * roughness(smooth)


def test_no_colour_variation_gives_shades_of_one_noise(scene):
    image, mask = scene
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    noise = matched_noise(grey, mask, colour_variation=0)[:, 180:]
    assert np.ptp(noise, axis=2).max() < 0.02


@pytest.mark.parametrize("known", [0.0, 0.5])
def test_flat_and_empty_pictures(known):
    image = np.full((32, 48, 3), known, dtype=np.float32)
    for share in (1.0, 0.0):
        mask = np.full((32, 48), share, dtype=np.float32)
        assert np.isfinite(matched_noise(image, mask)).all()
