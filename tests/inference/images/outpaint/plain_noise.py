"""Matched noise as it was first written: whole transforms in float64, exact histograms."""

from __future__ import annotations

import numpy as np


def matched_noise(image, mask, *, fall_off=1.0, colour_variation=0.05, seed=0):
    cover = mask.astype(np.float64)[..., None]
    source = image.astype(np.float64) * (1 - cover)
    faded = source * (1 - cover)
    spectrum = centred_fft(faded / (faded.max() or 1.0) + source.mean() * cover)
    strength = np.abs(spectrum)
    phase = spectrum / np.maximum(strength, np.finfo(np.float64).tiny)
    noise = np.random.default_rng(seed).random(image.shape)
    noise = colour_variation * noise + (1 - colour_variation) * noise.mean(axis=2, keepdims=True)
    height, width = mask.shape
    y_axis, x_axis = stretched(height, width), stretched(width, height)
    window = 1 / ((y_axis[:, None] ** 2 + 1) * (x_axis[None, :] ** 2 + 1))
    smooth = centred_ifft(centred_fft(noise) * window[..., None]).real
    shaped = centred_ifft(np.abs(centred_fft(smooth)) ** 2 * strength**fall_off * phase).real
    shaped -= shaped.min()
    shaped /= shaped.max() or 1.0
    painted, known = mask > 1e-6, mask < 1e-3
    shaped[painted] = match_channels(shaped[painted], source[known])
    return np.clip(source + shaped * cover, 0, 1)


def match_channels(values, template):
    return np.stack(
        [match_histogram(values[..., c], template[..., c]) for c in range(values.shape[-1])], -1
    )


def match_histogram(values, template):
    _, index, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    levels, level_counts = np.unique(template.ravel(), return_counts=True)
    quantiles = np.cumsum(counts) / values.size
    level_quantiles = np.cumsum(level_counts) / template.size
    return np.interp(quantiles, level_quantiles, levels)[index].reshape(values.shape)


def stretched(length, other_length):
    return (np.arange(length) / length * 2 - 1) * (length / min(length, other_length))


def centred_fft(data):
    shifted = np.fft.fftshift(data, axes=(0, 1))
    return np.fft.ifftshift(np.fft.fft2(shifted, axes=(0, 1), norm="ortho"), axes=(0, 1))


def centred_ifft(data):
    shifted = np.fft.fftshift(data, axes=(0, 1))
    return np.fft.ifftshift(np.fft.ifft2(shifted, axes=(0, 1), norm="ortho"), axes=(0, 1))
