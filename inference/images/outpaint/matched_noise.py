"""Noise that looks like the picture it continues: its spectrum, its colours.

The method is that of parlance-zz's g-diffuser (MIT): noise is given the spectrum of the known part
of the picture and then its histogram.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft

from inference.images.arrays import FloatArray
from inference.images.colour.histogram import match_histogram

ComplexArray = npt.NDArray[np.complex64]

#: Below this a mask counts as black, above `_MIN_PAINTED_COVER` as something.
_MAX_KNOWN_COVER, _MIN_PAINTED_COVER = 1e-3, 1e-6
#: Rows of noise drawn at a time: few enough for a processor's cache.
_ROWS_AT_ONCE = 16


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
    painted_indices = np.flatnonzero(mask > _MIN_PAINTED_COVER)
    known_indices = np.flatnonzero(mask < _MAX_KNOWN_COVER)
    painted_cover = mask.take(painted_indices)
    known_cover = 1 - mask
    # Channel by channel: what is transformed lies together.
    channels = [image[..., number] * known_cover for number in range(image.shape[-1])]
    peak = max(float((channel * known_cover).max()) for channel in channels) or 1.0
    hole = mask * np.mean([channel.mean() for channel in channels], dtype=np.float32)
    window = _low_pass_window(*mask.shape)
    result = np.clip(image, 0, 1)
    noises = _coloured_noise(image.shape, colour_variation, seed)
    for number, (channel, noise) in enumerate(zip(channels, noises, strict=True)):
        spectrum = fft.rfft2(_fade_into_hole(channel, known_cover, peak, hole), overwrite_x=True)
        noise_spectrum = fft.rfft2(noise, overwrite_x=True)
        shaped_noise = _shape_noise(noise_spectrum, window, spectrum, fall_off, mask.shape)
        pixels = match_histogram(shaped_noise.take(painted_indices), channel.take(known_indices))
        pixels *= painted_cover
        pixels += channel.take(painted_indices)
        result[..., number].flat[painted_indices] = np.clip(pixels, 0, 1, out=pixels)
    return result


def _fade_into_hole(
    channel: FloatArray, known_cover: FloatArray, peak: float, hole: FloatArray
) -> FloatArray:
    """Stretch what is known of a channel to full range and lay the mean into the hole, [h, w]."""
    faded_channel = channel * known_cover
    faded_channel *= np.float32(1 / peak)
    faded_channel += hole
    filled_channel: FloatArray = faded_channel
    return filled_channel


def _shape_noise(
    noise: ComplexArray,
    window: FloatArray,
    spectrum: ComplexArray,
    fall_off: float,
    shape: tuple[int, ...],
) -> FloatArray:
    """Give the square of low noise the strengths and the phases of a picture, [h, w].

    Both are transforms of one channel. Of what comes out only the order of the values counts, as
    their histogram is matched in the end; so it has no constant, beside which float32 would lose
    the rest.
    """
    strength = noise.real**2
    strength += noise.imag**2
    strength *= window
    if fall_off != 1:
        # Measured by the strongest, and never below what float32 tells apart beside it, so that no
        # exponent leaves the range of float32.
        shares = np.abs(spectrum)
        shares /= shares.max() or 1
        np.maximum(shares, np.finfo(np.float32).eps, out=shares)
        strength *= shares ** np.float32(fall_off - 1)
    shaped_spectrum = spectrum * strength
    shaped_spectrum[0, 0] = 0
    shaped_noise: FloatArray = fft.irfft2(shaped_spectrum, shape, overwrite_x=True)
    return shaped_noise


def _coloured_noise(shape: tuple[int, ...], variation: float, seed: int) -> FloatArray:
    """Draw noise of so much colour, [3, h, w]."""
    generator = np.random.default_rng(seed)
    height, width, channels = shape
    noise = np.empty((channels, height, width), np.float32)
    for top in range(0, height, _ROWS_AT_ONCE):
        rows = generator.random((min(_ROWS_AT_ONCE, height - top), width, channels))
        noise[:, top : top + len(rows)] = rows.transpose(2, 0, 1)
        band = noise[:, top : top + len(rows)]
        grey_noise = band.sum(axis=0) * np.float32((1 - variation) / channels)
        band *= np.float32(variation)
        band += grey_noise
    return noise


def _low_pass_window(height: int, width: int) -> FloatArray:
    """Give what is left of each frequency's power, laid out as `rfft2` does: [h, w/2 + 1]."""
    y_axis = _stretched_frequencies(fft.fftfreq(height), height, width)
    x_axis = _stretched_frequencies(fft.rfftfreq(width), width, height)
    window = 1 / ((y_axis[:, None] ** 2 + 1) * (x_axis[None, :] ** 2 + 1))
    power_window: FloatArray = (window**2).astype(np.float32)
    return power_window


def _stretched_frequencies(
    frequencies: npt.NDArray[np.float64], length: int, other_length: int
) -> npt.NDArray[np.float64]:
    """Give an axis' frequencies as −1 … 1, stretched by how much longer it is than the other."""
    return frequencies * 2 * (length / min(length, other_length))
