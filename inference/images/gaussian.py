"""Truncated gaussian convolution, as OpenCV's GaussianBlur defines it.

Border pixels see the picture mirrored without repeating the outermost line (reflect-101).
Source: OpenCV documentation, imgproc, getGaussianKernel and GaussianBlur.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]

#: Lines convolved at a time, so that a large picture needs little beside itself.
LINES_AT_ONCE = 256


def kernel_size(sigma: float) -> int:
    """Return the odd number of taps for a standard deviation in pixels: 2·⌊2.5σ + .5⌋ + 1."""
    return 2 * math.floor(2.5 * sigma + 0.5) + 1


def gaussian_kernel(sigma: float, size: int | None = None) -> Float64Array:
    """Return a gaussian of `size` taps that sums to 1; σ 0 gives the single tap 1."""
    taps = kernel_size(sigma) if size is None else size
    if sigma <= 0:
        return np.ones(1)
    offsets = np.arange(taps) - (taps - 1) / 2
    weights = np.exp(-(offsets**2) / (2 * sigma * sigma))
    kernel_weights: Float64Array = weights / weights.sum()
    return kernel_weights


def convolve_axis(
    array: npt.NDArray[Any], weights: Float64Array, axis: int, *, round_result: bool = False
) -> npt.NDArray[Any]:
    """Convolve a height × width array with an odd, symmetric kernel along one axis.

    The result has the array's dtype; `rounded` rounds to the nearest integer first, halves up.
    """
    lines = array if axis == 1 else array.T
    out = np.empty_like(lines)
    for start in range(0, len(lines), LINES_AT_ONCE):
        band = lines[start : start + LINES_AT_ONCE].astype(np.float64)
        blurred_lines = _convolve_rows(band, weights)
        out[start : start + LINES_AT_ONCE] = (
            np.floor(blurred_lines + 0.5) if round_result else blurred_lines
        )
    return out if axis == 1 else np.ascontiguousarray(out.T)


def blur_array(array: npt.NDArray[Any], sigma_x: float, sigma_y: float) -> npt.NDArray[Any]:
    """Blur a height × width array of floats by σ pixels along each axis."""
    blurred_rows = convolve_axis(array, gaussian_kernel(sigma_x), 1) if sigma_x > 0 else array
    return convolve_axis(blurred_rows, gaussian_kernel(sigma_y), 0) if sigma_y > 0 else blurred_rows


def _convolve_rows(rows: Float64Array, weights: Float64Array) -> Float64Array:
    """Convolve each row through the frequency domain: the cost does not grow with the kernel."""
    radius = len(weights) // 2
    padded_rows = np.pad(rows, ((0, 0), (radius, radius)), mode="reflect")
    length = _fast_length(padded_rows.shape[1] + len(weights) - 1)
    spectrum = np.fft.rfft(padded_rows, length, axis=1) * np.fft.rfft(weights, length)
    whole = np.fft.irfft(spectrum, length, axis=1)
    return whole[:, 2 * radius : 2 * radius + rows.shape[1]]


def _fast_length(length: int) -> int:
    """Return the least 2^a·3^b not below the length: such transforms are quick."""
    threes: list[int] = [3**power for power in range(12)]
    return min(three << max(0, math.ceil(math.log2(length / three))) for three in threes)
