"""Edges and lines of a picture, white on black, as the ControlNets of the field were trained on."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

#: The steps of brightness between which an edge counts where it touches a stronger one.
LOW_THRESHOLD, HIGH_THRESHOLD = 100, 200
#: tan 22.5°, below which a gradient counts as level; above its inverse as upright.
LEVEL_SLOPE = np.sqrt(2) - 1
#: Pixels over which lines are told from their surroundings.
LINE_RADIUS = 6.0
#: Brightness of the median line, and of what is no line; steps below the last are noise.
MEDIAN_BRIGHTNESS, NOISE_BRIGHTNESS, LEAST_MEDIAN = 127.0, 8.0, 16.0

EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def find_edges(image: Image.Image) -> Image.Image:
    """Draw a picture's edges (Canny, "A Computational Approach to Edge Detection", 1986); `RGB`.

    Gradients are Sobel's, of the colour that changes most, and their length is the sum of both
    directions, as OpenCV has them without a blur before.
    """
    pixels = np.asarray(image.convert("RGB"), dtype=np.int32)
    gradient_x = np.stack([ndimage.sobel(pixels[..., c], 1, mode="nearest") for c in range(3)], -1)
    gradient_y = np.stack([ndimage.sobel(pixels[..., c], 0, mode="nearest") for c in range(3)], -1)
    strongest = np.argmax(np.abs(gradient_x) + np.abs(gradient_y), axis=-1)[..., None]
    x = np.take_along_axis(gradient_x, strongest, -1)[..., 0]
    y = np.take_along_axis(gradient_y, strongest, -1)[..., 0]
    ridges = _find_ridges(x, y)
    labels, _ = ndimage.label(ridges > LOW_THRESHOLD, EIGHT_NEIGHBOURS)
    strong_labels = np.unique(labels[ridges > HIGH_THRESHOLD])
    edges = np.isin(labels, strong_labels[strong_labels > 0])
    return Image.fromarray(edges.astype(np.uint8) * 255).convert("RGB")


def _find_ridges(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Keep gradients that are longest along their own direction; [H, W], 0 elsewhere."""
    length = np.abs(x) + np.abs(y)
    bordered_length = np.pad(length, 1)
    height, width = length.shape

    def shift(rows: int, columns: int) -> np.ndarray:
        return bordered_length[1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]

    slope_up, slope_across = np.abs(y), np.abs(x)
    is_level = slope_up < slope_across * LEVEL_SLOPE
    is_upright = slope_up > slope_across * (LEVEL_SLOPE + 2)
    is_falling = (x < 0) == (y < 0)
    longest = np.select(
        [is_level, is_upright, is_falling],
        [
            (length > shift(0, -1)) & (length >= shift(0, 1)),
            (length > shift(-1, 0)) & (length >= shift(1, 0)),
            (length > shift(-1, -1)) & (length > shift(1, 1)),
        ],
        (length > shift(-1, 1)) & (length > shift(1, -1)),
    )
    return np.where(longest, length, 0)


def draw_lines(image: Image.Image) -> Image.Image:
    """Draw a picture's dark lines in white: how far each pixel is below its surroundings; `RGB`.

    The brightness is such that the median line has half of it, so that faint drawings count too.
    """
    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    surroundings = ndimage.gaussian_filter(pixels, (LINE_RADIUS, LINE_RADIUS, 0))
    darkness = np.clip((surroundings - pixels).min(axis=-1), 0, 255)
    lines = darkness[darkness > NOISE_BRIGHTNESS]
    median = float(np.median(lines)) if lines.size else 0.0
    brightness = darkness / max(LEAST_MEDIAN, median) * MEDIAN_BRIGHTNESS
    return Image.fromarray(brightness.clip(0, 255).astype(np.uint8)).convert("RGB")
