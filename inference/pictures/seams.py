"""How visible the border of a repaint is, and the narrow band that a second pass would mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from inference.pictures import gaussian
from inference.pictures.arrays import FloatArray, to_array
from inference.pictures.lab import to_lab
from inference.pictures.regions import pad

#: How far from the border the picture is compared with itself, in pixels.
REACH = 16
#: Colours are averaged over this many pixels to each side before the colour step is taken.
AVERAGED = 2
#: The excess, in ΔE of CIE 1976, at which the score is one half; 2.3 is just noticeable.
HALF_SCORE = 5.0
#: From this score on a border catches the eye.
VISIBLE = 0.5

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Seam:
    """What the border of a mask looks like in a picture."""

    #: How much steeper the gradient across the border is than beside it: mean ΔE of neighbours.
    gradient: float
    #: How much larger the colour step across the border is than beside it: mean ΔE of averages
    #: over `AVERAGED` pixels to each side, so that a step under a grainy texture counts too.
    step: float

    @property
    def score(self) -> float:
        """0: the border looks like its surroundings; 0.5: `HALF_SCORE` ΔE beyond them; 1: hard."""
        return 1 - 2 ** (-max(self.gradient, self.step) / HALF_SCORE)

    @property
    def visible(self) -> bool:
        """Whether a coherence pass is worth offering."""
        return self.score >= VISIBLE


def measure(picture: Image.Image, mask: Image.Image) -> Seam:
    """Measure a picture along the border of the (unblurred) mask it was repainted under.

    Both have one size. A mask without a border, blank or full, has no seam.
    """
    box = mask.getbbox()
    if box is None:
        return Seam(0.0, 0.0)
    around = pad(box, 2 * REACH, mask.size)
    inside = np.asarray(mask.crop(around)) >= 128
    if inside.all() or not inside.any():
        return Seam(0.0, 0.0)
    lab = to_lab(to_array(picture.crop(around).convert("RGB")))
    smooth = np.stack([_box_mean(lab[..., c], AVERAGED) for c in range(3)], axis=-1)
    return Seam(_excess(lab, inside, 1), _excess(smooth, inside, 2 * AVERAGED + 1))


def band(mask: Image.Image, width: int) -> Image.Image:
    """Return the mask of all pixels within `width` pixels of the mask's border; `L`, 0 or 255.

    The picture's own border is none of the mask's.
    """
    inside = np.asarray(mask) >= 128
    return Image.fromarray(np.where(_near_border(inside, width), 255, 0).astype(np.uint8))


def _excess(lab: FloatArray, inside: BoolArray, apart: int) -> float:
    """Compare pairs of pixels across the border with pairs as far apart on one side of it."""
    near = _near_border(inside, REACH)
    across: list[npt.NDArray[np.float32]] = []
    beside: list[npt.NDArray[np.float32]] = []
    for axis in (0, 1):
        if lab.shape[axis] <= apart:
            continue
        steps = np.linalg.norm(_second(lab, axis, apart) - _first(lab, axis, apart), axis=-1)
        crossing = _first(inside, axis, apart) != _second(inside, axis, apart)
        both_near = _first(near, axis, apart) & _second(near, axis, apart)
        across.append(steps[crossing])
        beside.append(steps[~crossing & both_near])
    return max(0.0, _mean(across) - _mean(beside))


def _near_border(inside: BoolArray, width: int) -> BoolArray:
    """Mark pixels with both kinds within `width` of them: a square of 2·width + 1 around."""
    share = _box_mean(inside.astype(np.float64), width)
    half_a_pixel = 0.5 / (2 * width + 1) ** 2
    return np.asarray((share > half_a_pixel) & (share < 1 - half_a_pixel))


def _box_mean(values: npt.NDArray[Any], radius: int) -> npt.NDArray[Any]:
    taps = np.full(2 * radius + 1, 1 / (2 * radius + 1))
    return gaussian.convolve(gaussian.convolve(values, taps, 1), taps, 0)


def _first(array: npt.NDArray[Any], axis: int, by: int) -> npt.NDArray[Any]:
    return array[:-by] if axis == 0 else array[:, :-by]


def _second(array: npt.NDArray[Any], axis: int, by: int) -> npt.NDArray[Any]:
    return array[by:] if axis == 0 else array[:, by:]


def _mean(parts: list[npt.NDArray[np.float32]]) -> float:
    values = np.concatenate([part.ravel() for part in parts]) if parts else np.zeros(0)
    return float(values.mean()) if values.size else 0.0
