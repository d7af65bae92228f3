"""Strokes that somebody drew on a copy of a picture, as a mask.

The copy may have been scaled, cropped and saved as JPEG on its way. It is laid over the picture at
the resolution that both have; where it differs by more than its noise, something was drawn. A
stroke reaches to where half of its difference is left, so that neither the blur of scaling nor the
bleeding of JPEG's colours makes it wider or thinner.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from inference.pictures.arrays import FloatArray
from inference.pictures.overlaying import Place, find_place

Marks = npt.NDArray[np.bool_]

LARGEST_SIDE = 768  # pixels compared along a side: strokes are wider than that is fine
SEEN = 36.0  # levels beyond the picture's own range around a pixel that noise does not reach
UNCHANGED = 24.0  # levels within which a pixel counts as the same
LEAST_SAME = 0.3  # share of a copy that is not drawn over
LEAST_LIKENESS = 0.75  # correlation of that part with the picture
REACH = 4  # pixels from a stroke's middle to its edge, or to more of its middle
GAP = 1  # pixels of a stroke's inside that may look unchanged, each way
CROWD = 6  # seen pixels of 5 × 5 from which on it is no speck
TWO_TONES, TONE = 0.95, 24  # a mask has so many pixels so near to black or white
COARSEST, NOISE = 50, 1.3  # JPEG's quality, and how much of its noise is still noise
MIDDLE = 0.8  # of the largest change around it: there a stroke covers a pixel wholly
GREY = np.array((0.299, 0.587, 0.114), dtype=np.float32)
TO_YCC = np.array((2 * GREY, (-0.169, -0.331, 0.5), (0.5, -0.419, -0.081)), dtype=np.float32)
"""RGB to JPEG's own brightness, twice, and colours."""


def strokes(picture: Image.Image, copy: Image.Image) -> Image.Image | None:
    """Mark what was drawn on a copy of an RGB picture; `L` 0 or 255 of the picture's size.

    None where it is no copy of it, but a mask or another picture. Black where nothing was drawn.
    """
    drawn_on = copy.convert("RGB")
    if _is_mask(drawn_on):
        return None
    place = find_place(picture, drawn_on)
    if place is None:
        return None
    before, after = _laid_over(picture, drawn_on, place)
    beyond = _beyond(before, after)
    if not _is_copy(before, after, beyond):
        return None
    return _placed(_coverage(before, after, beyond), picture.size, place)


def _is_mask(copy: Image.Image) -> bool:
    """Whether it has nothing but black and white, as masks do and copies of pictures do not."""
    values = np.asarray(copy, dtype=np.int16)
    toned = (values <= TONE).all(axis=-1) | (values >= 255 - TONE).all(axis=-1)
    return bool(toned.mean() >= TWO_TONES)


def _laid_over(
    picture: Image.Image, copy: Image.Image, place: Place
) -> tuple[FloatArray, FloatArray]:
    """Bring the copy, and the part of the picture that it shows, to one size: the smaller one."""
    left, top, right, bottom = place
    scale = min(
        1.0,
        copy.width / (right - left),
        LARGEST_SIDE / max(right - left, bottom - top),
    )
    size = (max(8, round((right - left) * scale)), max(8, round((bottom - top) * scale)))
    before = picture.resize(size, Image.Resampling.BICUBIC, box=place, reducing_gap=None)
    after = copy.resize(size, Image.Resampling.BICUBIC)
    old, new = (np.asarray(one, dtype=np.float32) for one in (before, after))
    shift = np.median(new - old, axis=(0, 1))
    return old, new - np.clip(shift, -UNCHANGED, UNCHANGED)


def _beyond(before: FloatArray, after: FloatArray) -> FloatArray:
    """Measure by how many levels each pixel leaves the range of its neighbours in the picture."""
    around = sliding_window_view(np.pad(before, ((1, 1), (1, 1), (0, 0)), "edge"), (3, 3), (0, 1))
    low, high = around.min(axis=(-1, -2)), around.max(axis=(-1, -2))
    away: FloatArray = np.maximum(np.maximum(after - high, low - after), 0).max(axis=-1)
    return away


def _is_copy(before: FloatArray, after: FloatArray, beyond: FloatArray) -> bool:
    """Whether what was not drawn over is the picture."""
    same = beyond < UNCHANGED
    if same.mean() < LEAST_SAME:
        return False
    old, new = before[same] @ GREY, after[same] @ GREY
    if old.std() < 1 or new.std() < 1:
        return bool(old.std() < 1 and new.std() < 1 and same.mean() > 0.5)
    return bool(np.corrcoef(old, new)[0, 1] >= LEAST_LIKENESS)


def _coverage(before: FloatArray, after: FloatArray, beyond: FloatArray) -> FloatArray:
    """Tell how much of each pixel a stroke covers, 0–1, half at its edge.

    That is how far the pixel went towards the ink, which is seen in the stroke's middle.
    Brightness counts more than colour, whose edges JPEG keeps at half the resolution.
    """
    seen = beyond >= np.maximum(SEEN, NOISE * _noise(before))
    crowd = sliding_window_view(np.pad(seen, 2), (5, 5)).sum(axis=(-1, -2))
    seen &= crowd >= CROWD
    ground, shown = before @ TO_YCC.T, after @ TO_YCC.T
    change = shown - ground
    extent = np.sqrt((change**2).sum(axis=-1))
    middle = seen & (extent >= MIDDLE * _widened(np.where(seen, extent, 0), REACH))
    count = _summed(middle[..., None].astype(np.float32), REACH)
    ink = _summed(shown * middle[..., None], REACH) / np.maximum(count, 1)
    whole = np.where(count > 0, ink - ground, 0)
    length = (whole**2).sum(axis=-1)
    along = (change * whole).sum(axis=-1)
    share = np.divide(along, length, out=np.zeros_like(along), where=length > 0)
    share = np.clip(share, 0, 1)
    covered: FloatArray = np.maximum(share, _narrowed(_widened(share, GAP), GAP))
    return covered


def _noise(before: FloatArray) -> FloatArray:
    """Measure how far JPEG at its coarsest, which halves the colours, takes pixels from before."""
    picture = Image.fromarray(np.rint(np.clip(before, 0, 255)).astype(np.uint8))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=COARSEST, subsampling="4:2:0")
    with Image.open(file) as coarse:
        away = np.abs(np.asarray(coarse, dtype=np.float32) - before).max(axis=-1)
    return _widened(away, 2)


def _summed(values: FloatArray, reach: int) -> FloatArray:
    """Give each place of [h, w, c] the sum within a square of `reach` pixels around it."""
    size = 2 * reach + 1
    padded = np.pad(values, ((reach + 1, reach), (reach + 1, reach), (0, 0))).astype(np.float64)
    sums = padded.cumsum(axis=0).cumsum(axis=1)
    total = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
    area: FloatArray = total.astype(np.float32)
    return area


def _widened(values: FloatArray, reach: int) -> FloatArray:
    """Give each place the largest value within a square of `reach` pixels around it."""
    for axis in (0, 1):
        pad = [(reach, reach) if axis == one else (0, 0) for one in (0, 1)]
        values = sliding_window_view(np.pad(values, pad), 2 * reach + 1, axis).max(axis=-1)
    return values


def _narrowed(values: FloatArray, reach: int) -> FloatArray:
    """Give each place the smallest value within a square of `reach` pixels around it."""
    return 1 - _widened(1 - values, reach)


def _placed(covered: FloatArray, size: tuple[int, int], place: Place) -> Image.Image:
    """Scale coverage to where the copy lies in the picture, and cut it at half."""
    left, top, right, bottom = (round(edge) for edge in place)
    part = Image.fromarray(np.rint(covered * 255).astype(np.uint8))
    scaled = part.resize((right - left, bottom - top), Image.Resampling.BICUBIC)
    mask = Image.new("L", size, 0)
    mask.paste(scaled.point([0] * 128 + [255] * 128), (left, top))
    return mask
