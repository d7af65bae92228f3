from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from inference.images.gaussian import blur_array, convolve_axis, gaussian_kernel, kernel_size


@pytest.mark.parametrize(("sigma", "size"), [(0, 1), (1, 7), (4, 21), (8, 41), (16, 81), (64, 321)])
def test_kernel_size(sigma, size):
    assert kernel_size(sigma) == size
    assert len(gaussian_kernel(sigma)) == size


def test_kernel_is_a_gaussian():
    taps = gaussian_kernel(2.0)
    assert pytest.approx(taps.sum()) == 1.0
    assert np.exp(-1 / 8) == pytest.approx(taps[6] / taps[5])
    assert np.all(taps == taps[::-1])


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 70), st.integers(2, 70), st.floats(0.3, 12), st.sampled_from([0, 1]))
def test_convolution_equals_scipys(width, height, sigma, axis):
    array = np.random.default_rng(0).random((height, width))
    expected = ndimage.correlate1d(array, gaussian_kernel(sigma), axis, mode="mirror")
    np.testing.assert_allclose(
        convolve_axis(array, gaussian_kernel(sigma), axis), expected, atol=1e-12
    )


def test_many_rows_are_convolved_in_bands():
    array = np.random.default_rng(0).random((600, 9))
    expected = ndimage.correlate1d(array, gaussian_kernel(2), 1, mode="mirror")
    np.testing.assert_allclose(convolve_axis(array, gaussian_kernel(2), 1), expected, atol=1e-12)


def test_axes_blur_apart():
    array = np.zeros((21, 21))
    array[10, 10] = 1
    assert np.count_nonzero(blur_array(array, 2, 0).max(axis=1) > 1e-9) == 1
    assert np.count_nonzero(blur_array(array, 0, 2).max(axis=0) > 1e-9) == 1
    assert np.array_equal(array, blur_array(array, 0, 0))
