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

from inference.images.arrays import FloatArray
from inference.images.mask.copy_alignment import Place, find_place

Marks = npt.NDArray[np.bool_]

MAX_COMPARED_SIDE = 768  # pixels compared along a side: strokes are wider than that is fine
#: Levels beyond the picture's own range around a pixel that noise does not reach.
MIN_STROKE_LEVELS = 36.0
UNCHANGED_LEVELS = 24.0  # levels within which a pixel counts as the same
MIN_UNCHANGED_SHARE = 0.3  # share of a copy that is not drawn over
MIN_COPY_CORRELATION = 0.75  # correlation of that part with the picture
STROKE_REACH_PIXELS = 4  # pixels from a stroke's middle to its edge, or to more of its middle
STROKE_GAP_PIXELS = 1  # pixels of a stroke's inside that may look unchanged, each way
MIN_CROWD_PIXELS = 6  # seen pixels of 5 × 5 from which on it is no speck
MIN_TWO_TONE_SHARE, TONE_LEVELS = 0.95, 24  # a mask has so many pixels so near to black or white
MIN_JPEG_QUALITY, JPEG_NOISE_FACTOR = (
    50,
    1.3,
)  # JPEG's quality, and how much of its noise is still noise
STROKE_MIDDLE_SHARE = 0.8  # of the largest change around it: there a stroke covers a pixel wholly
GREY_WEIGHTS = np.array((0.299, 0.587, 0.114), dtype=np.float32)
RGB_TO_YCC = np.array(
    (2 * GREY_WEIGHTS, (-0.169, -0.331, 0.5), (0.5, -0.419, -0.081)), dtype=np.float32
)
"""RGB to JPEG's own brightness, twice, and colours."""


def find_strokes(image: Image.Image, copy: Image.Image) -> Image.Image | None:
    """Mark what was drawn on a copy of an RGB picture; `L` 0 or 255 of the picture's size.

    None where it is no copy of it, but a mask or another picture. Black where nothing was drawn.
    """
    copy_rgb = copy.convert("RGB")
    if _is_mask(copy_rgb):
        return None
    place = find_place(image, copy_rgb)
    if place is None:
        return None
    source_pixels, copy_pixels = _align_copy(image, copy_rgb, place)
    excess_levels = _levels_beyond_range(source_pixels, copy_pixels)
    if not _is_copy(source_pixels, copy_pixels, excess_levels):
        return None
    return _place_coverage(
        _stroke_coverage(source_pixels, copy_pixels, excess_levels), image.size, place
    )


def _is_mask(copy: Image.Image) -> bool:
    """Whether it has nothing but black and white, as masks do and copies of pictures do not."""
    values = np.asarray(copy, dtype=np.int16)
    two_tone_pixels = (values <= TONE_LEVELS).all(axis=-1) | (values >= 255 - TONE_LEVELS).all(
        axis=-1
    )
    return bool(two_tone_pixels.mean() >= MIN_TWO_TONE_SHARE)


def _align_copy(
    image: Image.Image, copy: Image.Image, place: Place
) -> tuple[FloatArray, FloatArray]:
    """Bring the copy, and the part of the picture that it shows, to one size: the smaller one."""
    left, top, right, bottom = place
    scale = min(
        1.0,
        copy.width / (right - left),
        MAX_COMPARED_SIDE / max(right - left, bottom - top),
    )
    size = (max(8, round((right - left) * scale)), max(8, round((bottom - top) * scale)))
    source_crop = image.resize(size, Image.Resampling.BICUBIC, box=place, reducing_gap=None)
    resized_copy = copy.resize(size, Image.Resampling.BICUBIC)
    source_pixels, copy_pixels = (
        np.asarray(aligned_image, dtype=np.float32) for aligned_image in (source_crop, resized_copy)
    )
    shift = np.median(copy_pixels - source_pixels, axis=(0, 1))
    return source_pixels, copy_pixels - np.clip(shift, -UNCHANGED_LEVELS, UNCHANGED_LEVELS)


def _levels_beyond_range(source_pixels: FloatArray, copy_pixels: FloatArray) -> FloatArray:
    """Measure by how many levels each pixel leaves the range of its neighbours in the picture."""
    around = sliding_window_view(
        np.pad(source_pixels, ((1, 1), (1, 1), (0, 0)), "edge"), (3, 3), (0, 1)
    )
    low, high = around.min(axis=(-1, -2)), around.max(axis=(-1, -2))
    excess_levels: FloatArray = np.maximum(
        np.maximum(copy_pixels - high, low - copy_pixels), 0
    ).max(axis=-1)
    return excess_levels


def _is_copy(source_pixels: FloatArray, copy_pixels: FloatArray, excess_levels: FloatArray) -> bool:
    """Whether what was not drawn over is the picture."""
    unchanged_pixels = excess_levels < UNCHANGED_LEVELS
    if unchanged_pixels.mean() < MIN_UNCHANGED_SHARE:
        return False
    source_greys, copy_greys = (
        source_pixels[unchanged_pixels] @ GREY_WEIGHTS,
        copy_pixels[unchanged_pixels] @ GREY_WEIGHTS,
    )
    if source_greys.std() < 1 or copy_greys.std() < 1:
        return bool(
            source_greys.std() < 1 and copy_greys.std() < 1 and unchanged_pixels.mean() > 0.5
        )
    return bool(np.corrcoef(source_greys, copy_greys)[0, 1] >= MIN_COPY_CORRELATION)


def _stroke_coverage(
    source_pixels: FloatArray, copy_pixels: FloatArray, excess_levels: FloatArray
) -> FloatArray:
    """Tell how much of each pixel a stroke covers, 0–1, half at its edge.

    That is how far the pixel went towards the ink, which is seen in the stroke's middle.
    Brightness counts more than colour, whose edges JPEG keeps at half the resolution.
    """
    stroke_pixels = excess_levels >= np.maximum(
        MIN_STROKE_LEVELS, JPEG_NOISE_FACTOR * _jpeg_noise(source_pixels)
    )
    crowd = sliding_window_view(np.pad(stroke_pixels, 2), (5, 5)).sum(axis=(-1, -2))
    stroke_pixels &= crowd >= MIN_CROWD_PIXELS
    source_ycc, copy_ycc = source_pixels @ RGB_TO_YCC.T, copy_pixels @ RGB_TO_YCC.T
    change = copy_ycc - source_ycc
    extent = np.sqrt((change**2).sum(axis=-1))
    middle = stroke_pixels & (
        extent
        >= STROKE_MIDDLE_SHARE
        * _box_maximum(np.where(stroke_pixels, extent, 0), STROKE_REACH_PIXELS)
    )
    count = _box_sum(middle[..., None].astype(np.float32), STROKE_REACH_PIXELS)
    ink = _box_sum(copy_ycc * middle[..., None], STROKE_REACH_PIXELS) / np.maximum(count, 1)
    ink_change = np.where(count > 0, ink - source_ycc, 0)
    length = (ink_change**2).sum(axis=-1)
    projection = (change * ink_change).sum(axis=-1)
    share = np.divide(projection, length, out=np.zeros_like(projection), where=length > 0)
    share = np.clip(share, 0, 1)
    coverage: FloatArray = np.maximum(
        share, _box_minimum(_box_maximum(share, STROKE_GAP_PIXELS), STROKE_GAP_PIXELS)
    )
    return coverage


def _jpeg_noise(source_pixels: FloatArray) -> FloatArray:
    """Measure how far JPEG at its coarsest, which halves the colours, takes pixels from before."""
    image = Image.fromarray(np.rint(np.clip(source_pixels, 0, 255)).astype(np.uint8))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=MIN_JPEG_QUALITY, subsampling="4:2:0")
    with Image.open(file) as coarse:
        noise_levels = np.abs(np.asarray(coarse, dtype=np.float32) - source_pixels).max(axis=-1)
    return _box_maximum(noise_levels, 2)


def _box_sum(values: FloatArray, reach: int) -> FloatArray:
    """Give each place of [h, w, c] the sum within a square of `reach` pixels around it."""
    size = 2 * reach + 1
    padded_values = np.pad(values, ((reach + 1, reach), (reach + 1, reach), (0, 0))).astype(
        np.float64
    )
    sums = padded_values.cumsum(axis=0).cumsum(axis=1)
    total = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
    area: FloatArray = total.astype(np.float32)
    return area


def _box_maximum(values: FloatArray, reach: int) -> FloatArray:
    """Give each place the largest value within a square of `reach` pixels around it."""
    for axis in (0, 1):
        pad = [(reach, reach) if axis == dimension else (0, 0) for dimension in (0, 1)]
        values = sliding_window_view(np.pad(values, pad), 2 * reach + 1, axis).max(axis=-1)
    return values


def _box_minimum(values: FloatArray, reach: int) -> FloatArray:
    """Give each place the smallest value within a square of `reach` pixels around it."""
    return 1 - _box_maximum(1 - values, reach)


def _place_coverage(coverage: FloatArray, size: tuple[int, int], place: Place) -> Image.Image:
    """Scale coverage to where the copy lies in the picture, and cut it at half."""
    left, top, right, bottom = (round(edge) for edge in place)
    part = Image.fromarray(np.rint(coverage * 255).astype(np.uint8))
    scaled_part = part.resize((right - left, bottom - top), Image.Resampling.BICUBIC)
    mask = Image.new("L", size, 0)
    mask.paste(scaled_part.point([0] * 128 + [255] * 128), (left, top))
    return mask
