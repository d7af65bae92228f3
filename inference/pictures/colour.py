"""Colour correction: a result takes its source's colours back and keeps its own luminosity."""

from __future__ import annotations

import numpy as np
from PIL import Image

from inference.pictures.arrays import FloatArray, to_array, to_picture
from inference.pictures.histogram import match_channels
from inference.pictures.lab import to_lab, to_rgb

#: Weights of red, green and blue in the luminosity of the blend modes.
LUMINOSITY = np.array([0.3, 0.59, 0.11], dtype=np.float32)


def correct(result: Image.Image, target: Image.Image) -> Image.Image:
    """Match a result's colours to a target's; `RGB`, size of the result.

    Each LAB channel takes the target's histogram; then the luminosity is put back to what it was.
    The target is the source after resizing (for loopback the very first); its size may differ.
    """
    before = to_array(result.convert("RGB"))
    reference = to_lab(to_array(target.convert("RGB")))
    matched = to_rgb(match_channels(to_lab(before), reference))
    return to_picture(with_luminosity(matched, before))


def with_luminosity(colours: FloatArray, luminosity: FloatArray) -> FloatArray:
    """Return the hue and saturation of one picture at the luminosity of another; HWC 0–1.

    Source: W3C Compositing and Blending Level 1, the non-separable mode `luminosity`.
    """
    shift = _lum(luminosity) - _lum(colours)
    return _clip_colour(colours + shift)


def _lum(rgb: FloatArray) -> FloatArray:
    weighted: FloatArray = (rgb * LUMINOSITY).sum(axis=-1, keepdims=True)
    return weighted


def _clip_colour(rgb: FloatArray) -> FloatArray:
    """Pull colours outside 0–1 towards their own luminosity until they fit."""
    lum = _lum(rgb)
    least, most = rgb.min(axis=-1, keepdims=True), rgb.max(axis=-1, keepdims=True)
    tiny = np.float32(1e-6)
    low = np.where(least < 0, lum / np.maximum(lum - least, tiny), 1)
    high = np.where(most > 1, (1 - lum) / np.maximum(most - lum, tiny), 1)
    inside = lum + (rgb - lum) * np.minimum(low, high)
    return np.clip(inside, 0, 1).astype(np.float32)
