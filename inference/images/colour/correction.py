"""Colour correction: a result takes its source's colours back and keeps its own luminosity."""

from __future__ import annotations

import numpy as np
from PIL import Image

from inference.images.arrays import FloatArray, to_array, to_image
from inference.images.colour.histogram import match_channels
from inference.images.colour.lab import to_lab, to_rgb

#: Weights of red, green and blue in the luminosity of the blend modes.
LUMINOSITY_WEIGHTS = np.array([0.3, 0.59, 0.11], dtype=np.float32)


def correct_colours(result: Image.Image, target: Image.Image) -> Image.Image:
    """Match a result's colours to a target's; `RGB`, size of the result.

    Each LAB channel takes the target's histogram; then the luminosity is put back to what it was.
    The target is the source after resizing (for loopback the very first); its size may differ.
    """
    result_rgb = to_array(result.convert("RGB"))
    target_lab = to_lab(to_array(target.convert("RGB")))
    matched_rgb = to_rgb(match_channels(to_lab(result_rgb), target_lab))
    return to_image(with_luminosity(matched_rgb, result_rgb))


def with_luminosity(colours: FloatArray, luminosity: FloatArray) -> FloatArray:
    """Return the hue and saturation of one picture at the luminosity of another; HWC 0–1.

    Source: W3C Compositing and Blending Level 1, the non-separable mode `luminosity`.
    """
    shift = _pixel_luminosity(luminosity) - _pixel_luminosity(colours)
    return _clip_colour(colours + shift)


def _pixel_luminosity(rgb: FloatArray) -> FloatArray:
    weighted_sum: FloatArray = rgb @ LUMINOSITY_WEIGHTS
    return weighted_sum[..., None]


def _clip_colour(rgb: FloatArray) -> FloatArray:
    """Pull colours outside 0–1 towards their own luminosity until they fit."""
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    min_channel = np.minimum(np.minimum(red, green), blue)
    max_channel = np.maximum(np.maximum(red, green), blue)
    is_outside = (min_channel < 0) | (max_channel > 1)
    clipped_rgb = np.clip(rgb, 0, 1)
    outside_rgb = rgb[is_outside]
    lum = _pixel_luminosity(outside_rgb)
    tiny = np.float32(1e-6)
    low = lum / np.maximum(lum - min_channel[is_outside, None], tiny)
    high = (1 - lum) / np.maximum(max_channel[is_outside, None] - lum, tiny)
    share = np.minimum(
        np.where(min_channel[is_outside, None] < 0, low, 1),
        np.where(max_channel[is_outside, None] > 1, high, 1),
    )
    clipped_rgb[is_outside] = np.clip(lum + (outside_rgb - lum) * share, 0, 1)
    return clipped_rgb
