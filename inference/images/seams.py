"""How visible the border of a repaint is, and the narrow band that a second pass would mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from inference.images import gaussian
from inference.images.arrays import FloatArray, to_array
from inference.images.colour.lab import to_lab
from inference.images.regions import pad_box

#: How far from the border the picture is compared with itself, in pixels.
COMPARED_PIXELS = 16
#: Colours are averaged over this many pixels to each side before the colour step is taken.
AVERAGED_PIXELS = 2
#: The excess, in ΔE of CIE 1976, at which the score is one half; 2.3 is just noticeable.
HALF_SCORE = 5.0
#: From this score on a border catches the eye.
VISIBLE_SCORE = 0.5

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SeamMeasurement:
    """What the border of a mask looks like in a picture."""

    #: How much steeper the gradient across the border is than beside it: mean ΔE of neighbours.
    gradient: float
    #: How much larger the colour step across the border is than beside it: mean ΔE of averages
    #: over `AVERAGED_PIXELS` pixels to each side, so that a step under a grainy texture counts too.
    step: float

    @property
    def seam_score(self) -> float:
        """0: the border looks like its surroundings; 0.5: `HALF_SCORE` ΔE beyond them; 1: hard."""
        return 1 - 2 ** (-max(self.gradient, self.step) / HALF_SCORE)

    @property
    def is_visible(self) -> bool:
        """Whether a coherence pass is worth offering."""
        return self.seam_score >= VISIBLE_SCORE


def measure_mask_border(image: Image.Image, mask: Image.Image) -> SeamMeasurement:
    """Measure a picture along the border of the (unblurred) mask it was repainted under.

    Both have one size. A mask without a border, blank or full, has no seam.
    """
    box = mask.getbbox()
    if box is None:
        return SeamMeasurement(0.0, 0.0)
    padded_box = pad_box(box, 2 * COMPARED_PIXELS, mask.size)
    inside_mask = np.asarray(mask.crop(padded_box)) >= 128
    if inside_mask.all() or not inside_mask.any():
        return SeamMeasurement(0.0, 0.0)
    lab = to_lab(to_array(image.crop(padded_box).convert("RGB")))
    smooth = np.stack([_box_mean(lab[..., c], AVERAGED_PIXELS) for c in range(3)], axis=-1)
    return SeamMeasurement(
        _excess_step(lab, inside_mask, 1),
        _excess_step(smooth, inside_mask, 2 * AVERAGED_PIXELS + 1),
    )


def seam_band(mask: Image.Image, width: int) -> Image.Image:
    """Return the mask of all pixels within `width` pixels of the mask's border; `L`, 0 or 255.

    The picture's own border is none of the mask's.
    """
    inside_mask = np.asarray(mask) >= 128
    return Image.fromarray(np.where(_near_border(inside_mask, width), 255, 0).astype(np.uint8))


def _excess_step(lab: FloatArray, inside_mask: BoolArray, distance: int) -> float:
    """Compare pairs of pixels across the border with pairs as far apart on one side of it."""
    near = _near_border(inside_mask, COMPARED_PIXELS)
    crossing_steps: list[npt.NDArray[np.float32]] = []
    adjacent_steps: list[npt.NDArray[np.float32]] = []
    for axis in (0, 1):
        if lab.shape[axis] <= distance:
            continue
        steps = np.linalg.norm(
            _trailing_part(lab, axis, distance) - _leading_part(lab, axis, distance), axis=-1
        )
        crossing = _leading_part(inside_mask, axis, distance) != _trailing_part(
            inside_mask, axis, distance
        )
        both_near = _leading_part(near, axis, distance) & _trailing_part(near, axis, distance)
        crossing_steps.append(steps[crossing])
        adjacent_steps.append(steps[~crossing & both_near])
    return max(0.0, _pooled_mean(crossing_steps) - _pooled_mean(adjacent_steps))


def _near_border(inside_mask: BoolArray, width: int) -> BoolArray:
    """Mark pixels with both kinds within `width` of them: a square of 2·width + 1 around."""
    share = _box_mean(inside_mask.astype(np.float64), width)
    half_a_pixel = 0.5 / (2 * width + 1) ** 2
    return np.asarray((share > half_a_pixel) & (share < 1 - half_a_pixel))


def _box_mean(values: npt.NDArray[Any], radius: int) -> npt.NDArray[Any]:
    taps = np.full(2 * radius + 1, 1 / (2 * radius + 1))
    return gaussian.convolve_axis(gaussian.convolve_axis(values, taps, 1), taps, 0)


def _leading_part(array: npt.NDArray[Any], axis: int, by: int) -> npt.NDArray[Any]:
    return array[:-by] if axis == 0 else array[:, :-by]


def _trailing_part(array: npt.NDArray[Any], axis: int, by: int) -> npt.NDArray[Any]:
    return array[by:] if axis == 0 else array[:, by:]


def _pooled_mean(parts: list[npt.NDArray[np.float32]]) -> float:
    values = np.concatenate([part.ravel() for part in parts]) if parts else np.zeros(0)
    return float(values.mean()) if values.size else 0.0
