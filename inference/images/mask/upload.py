"""What an uploaded mask marks: read by what it shows.

A drawing in black and white is the mask, whatever its alpha. Strokes on nothing count by their
alpha. A picture with a hole marks the hole, as other editors and services have it.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt
from PIL import Image

from inference.images.mask.masks import OPAQUE_ALPHA, PAINTED_THRESHOLD, from_luminance

#: Alpha above this can be seen.
VISIBLE_ALPHA = 32
#: Luminance up to here is black and from here on white, in a drawing.
BLACK_LUMINANCE, WHITE_LUMINANCE = 64, 192
#: Channels of a grey lie no further apart than this.
GREY_SPREAD = 48
#: The least share of a drawing that is black or white; the rest is its soft edges.
TWO_TONE_SHARE = 0.6
#: Of this many pixels of one tone on, the tone is drawn and no accident.
DRAWN_PIXELS = 4
#: The share of a picture's border that is opaque from which on its transparency is a hole.
FRAMED_SHARE = 0.95
#: Levels of a mask that lie closer together than this are one tone.
ONE_TONE_LEVELS = 64
#: Levels of a soft mask this close to black or white are black or white: the noise of a scan.
NOISE_LEVELS = 16

BoolArray = npt.NDArray[np.bool_]


class MaskReading(StrEnum):
    """What of an uploaded mask was taken as the mask."""

    LUMINANCE = "luminance"
    ALPHA = "alpha"
    HOLE = "hole"


def read_uploaded_mask(
    image: Image.Image, *, soft: bool = False
) -> tuple[Image.Image, MaskReading]:
    """Return what an uploaded picture marks, `L`, white changes, and how it was read.

    Cut to black and white unless `soft`; then levels near either become it.
    """
    reading = _choose_reading(image)
    if reading is MaskReading.LUMINANCE:
        flat = image
        if image.has_transparency_data:
            flat = Image.new("RGBA", image.size, "black")
            flat.alpha_composite(image.convert("RGBA"))
        mask = from_luminance(flat)
    else:
        mask = image.convert("RGBA").getchannel("A")
        if reading is MaskReading.HOLE:
            mask = mask.point([255 - level for level in range(256)])
    return _clean_soft(mask) if soft else _cut_to_two_levels(mask), reading


def _choose_reading(image: Image.Image) -> MaskReading:
    if not image.has_transparency_data:
        return MaskReading.LUMINANCE
    pixels = np.asarray(image.convert("RGBA"))
    alpha = pixels[..., 3]
    if alpha.min() >= OPAQUE_ALPHA:
        return MaskReading.LUMINANCE
    visible = pixels[alpha > VISIBLE_ALPHA]
    luminance = np.asarray(from_luminance(image.convert("RGB")))[alpha > VISIBLE_ALPHA]
    if _is_drawing(visible, luminance):
        return MaskReading.LUMINANCE
    border = np.concatenate((alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]))
    is_framed = np.mean(border > PAINTED_THRESHOLD) >= FRAMED_SHARE
    is_white = luminance.size and np.median(luminance) > WHITE_LUMINANCE
    return MaskReading.HOLE if is_framed and not is_white else MaskReading.ALPHA


def _is_drawing(visible: npt.NDArray[np.uint8], luminance: npt.NDArray[np.uint8]) -> bool:
    """Say whether what can be seen is drawn in black and white, with or without greys between."""
    grey = (visible[..., :3].max(axis=-1) - visible[..., :3].min(axis=-1)) <= GREY_SPREAD
    black = int(np.count_nonzero(grey & (luminance < BLACK_LUMINANCE)))
    white = int(np.count_nonzero(grey & (luminance > WHITE_LUMINANCE)))
    if min(black, white) < DRAWN_PIXELS:
        return False
    return bool(grey.all()) or black + white >= TWO_TONE_SHARE * luminance.size


def _cut_to_two_levels(mask: Image.Image) -> Image.Image:
    """Cut a mask to black and white: at the middle, or between the two tones it has."""
    levels = np.asarray(mask)
    lowest, highest = int(levels.min()), int(levels.max())
    threshold = PAINTED_THRESHOLD
    is_one_sided = lowest > threshold or highest <= threshold
    if is_one_sided and highest - lowest >= ONE_TONE_LEVELS:
        threshold = (lowest + highest) // 2
    return mask.point([0] * (threshold + 1) + [255] * (255 - threshold))


def _clean_soft(mask: Image.Image) -> Image.Image:
    levels = [
        0 if level < NOISE_LEVELS else 255 if level > 255 - NOISE_LEVELS else level
        for level in range(256)
    ]
    return mask.point(levels)
