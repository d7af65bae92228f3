"""Noise that looks like the picture it continues: its spectrum, its colours.

The method is that of parlance-zz's g-diffuser (MIT): noise is given the spectrum of the known part
of the picture and then its histogram.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.images.arrays import FloatArray
from inference.images.colour.histogram import match_channels

Float64Array = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

#: Below this a mask counts as black, above `_MIN_PAINTED_COVER` as something.
_MAX_KNOWN_COVER, _MIN_PAINTED_COVER = 1e-3, 1e-6


def matched_noise(
    image: FloatArray,
    mask: FloatArray,
    *,
    fall_off: float = 1.0,
    colour_variation: float = 0.05,
    seed: int = 0,
) -> FloatArray:
    """Fill the masked part of a picture with noise of the same spectrum and colours.

    `picture` is HWC 0–1, `mask` HW 0–1 (1 is to be filled); the result is like `picture`, and equal
    to it where the mask is 0. `fall_off` is the exponent of the picture's spectrum (lower gives
    more detail), `colour_variation` the share of coloured noise in grey noise.
    """
    cover = mask.astype(np.float64)[..., None]
    source = image.astype(np.float64) * (1 - cover)
    spectrum = _centred_fft(_fill_hole_with_mean(source, cover))
    strength = np.abs(spectrum)
    phase = spectrum / np.maximum(strength, np.finfo(np.float64).tiny)
    smooth = _low_passed(_coloured_noise(image.shape, colour_variation, seed))
    shaped_noise = _centred_ifft(
        np.abs(_centred_fft(smooth)) ** 2 * strength**fall_off * phase
    ).real
    shaped_noise -= shaped_noise.min()
    shaped_noise /= shaped_noise.max() or 1.0
    painted_pixels, known_pixels = mask > _MIN_PAINTED_COVER, mask < _MAX_KNOWN_COVER
    shaped_noise[painted_pixels] = match_channels(
        shaped_noise[painted_pixels], source[known_pixels]
    )
    return np.clip(source + shaped_noise * cover, 0, 1).astype(np.float32)


def _fill_hole_with_mean(source: Float64Array, cover: Float64Array) -> Float64Array:
    """Fade the masked part out, stretch to full range, and put the mean into the hole."""
    faded_source = source * (1 - cover)
    filled_source: Float64Array = faded_source / (faded_source.max() or 1.0) + source.mean() * cover
    return filled_source


def _coloured_noise(shape: tuple[int, ...], variation: float, seed: int) -> Float64Array:
    noise = np.random.default_rng(seed).random(shape)
    mixed_noise: Float64Array = variation * noise + (1 - variation) * noise.mean(
        axis=2, keepdims=True
    )
    return mixed_noise


def _low_passed(noise: Float64Array) -> Float64Array:
    height, width = noise.shape[:2]
    x_axis, y_axis = _stretched_axis(width, height), _stretched_axis(height, width)
    window = 1 / ((y_axis[:, None] ** 2 + 1) * (x_axis[None, :] ** 2 + 1))
    low: Float64Array = _centred_ifft(_centred_fft(noise) * window[..., None]).real
    return low


def _stretched_axis(length: int, other_length: int) -> Float64Array:
    """Return −1 … 1 along an axis, stretched by how much longer it is than the other."""
    return (np.arange(length) / length * 2 - 1) * (length / min(length, other_length))


def _centred_fft(data: Float64Array) -> ComplexArray:
    shifted_data = np.fft.fftshift(data, axes=(0, 1))
    return np.fft.ifftshift(np.fft.fft2(shifted_data, axes=(0, 1), norm="ortho"), axes=(0, 1))


def _centred_ifft(data: ComplexArray) -> ComplexArray:
    shifted_data = np.fft.fftshift(data, axes=(0, 1))
    return np.fft.ifftshift(np.fft.ifft2(shifted_data, axes=(0, 1), norm="ortho"), axes=(0, 1))
