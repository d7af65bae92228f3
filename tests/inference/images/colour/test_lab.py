from __future__ import annotations

import numpy as np
import pytest

from inference.images.colour.lab import to_lab, to_rgb


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        # CIE 1976 coordinates of the sRGB corners under D65.
        ((1, 1, 1), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 1, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
        ((0.5, 0.5, 0.5), (53.39, 0, 0)),
    ],
)
def test_known_colours(rgb, lab):
    actual = to_lab(np.array([[rgb]], dtype=np.float32))
    np.testing.assert_allclose(actual[0, 0], lab, atol=0.05)
    np.testing.assert_allclose(to_rgb(actual)[0, 0], rgb, atol=1e-4)


def test_every_eight_bit_colour_survives():
    rgb = np.random.default_rng(0).integers(0, 256, (128, 128, 3)).astype(np.float32) / 255
    back = np.rint(to_rgb(to_lab(rgb)) * 255)
    assert np.array_equal(np.rint(rgb * 255), back)
    assert to_lab(rgb).dtype == np.float32


def test_out_of_gamut_is_clipped():
    rgb = to_rgb(np.array([[[50.0, 200.0, -200.0]]], dtype=np.float32))
    assert rgb.min() >= 0
    assert rgb.max() <= 1
