"""How visible the border of a repaint is, and the narrow band that a second pass would mend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from inference.images.arrays import FloatArray, to_array
from inference.images.colour.lab import to_lab
from inference.images.regions import Box, Size, pad_box

#: How far from the border the picture is compared with itself, in pixels.
COMPARED_PIXELS = 16
#: Colours are averaged over this many pixels to each side before the colour step is taken.
AVERAGED_PIXELS = 2
#: How far apart the averages are that make a colour step.
STEP_PIXELS = 2 * AVERAGED_PIXELS + 1
#: Pixels a side of the blocks that are looked at; a multiple of `COMPARED_PIXELS`.
BLOCK_PIXELS = 128
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


@dataclass
class _StepSums:
    """Sums and counts of colour steps across a border, and of those beside it."""

    crossing_sum: float = 0.0
    crossing_count: int = 0
    adjacent_sum: float = 0.0
    adjacent_count: int = 0

    @property
    def excess(self) -> float:
        """How much larger the mean step across is than the one beside; never negative."""
        crossing_mean = self.crossing_sum / max(1, self.crossing_count)
        return max(0.0, crossing_mean - self.adjacent_sum / max(1, self.adjacent_count))

    def add_steps(self, steps: FloatArray, is_crossing: BoolArray, is_adjacent: BoolArray) -> None:
        """Add the steps of a block."""
        self.crossing_sum += float(steps[is_crossing].sum(dtype=np.float64))
        self.crossing_count += int(np.count_nonzero(is_crossing))
        self.adjacent_sum += float(steps[is_adjacent].sum(dtype=np.float64))
        self.adjacent_count += int(np.count_nonzero(is_adjacent))


def measure_mask_border(image: Image.Image, mask: Image.Image) -> SeamMeasurement:
    """Measure a picture along the border of the (unblurred) mask it was repainted under.

    Both have one size. A mask without a border, blank or full, has no seam.
    """
    return measure_mask_borders(image, [mask])[0]


def measure_mask_borders(image: Image.Image, masks: Sequence[Image.Image]) -> list[SeamMeasurement]:
    """Measure a picture along the borders of several masks, all of its size.

    Only blocks near a border are looked at: of a large picture they are few.
    """
    inside_masks = [np.asarray(mask) >= 128 for mask in masks]
    gradients, steps = [_StepSums() for _ in masks], [_StepSums() for _ in masks]
    for box in _border_blocks(inside_masks):
        region = _grow_far_sides(box, STEP_PIXELS, image.size)
        lab, smooth = _region_colours(image, region)
        for inside_mask, gradient, step in zip(inside_masks, gradients, steps, strict=True):
            inside = inside_mask[region[1] : region[3], region[0] : region[2]]
            near = _near_border_within(inside_mask, region, COMPARED_PIXELS)
            if near.any():
                size = box[3] - box[1], box[2] - box[0]
                _add_block_steps(gradient, lab, inside, near, size, 1)
                _add_block_steps(step, smooth, inside, near, size, STEP_PIXELS)
    return [
        SeamMeasurement(gradient.excess, step.excess)
        for gradient, step in zip(gradients, steps, strict=True)
    ]


def _grow_far_sides(box: Box, pixels: int, size: Size) -> Box:
    """Grow a box to the right and downwards within a picture of the size."""
    return box[0], box[1], min(box[2] + pixels, size[0]), min(box[3] + pixels, size[1])


def _border_blocks(inside_masks: Sequence[BoolArray]) -> list[Box]:
    """List blocks of a picture that lie near the border of any mask, and together hold them all."""
    height, width = inside_masks[0].shape
    near_cells = np.zeros((-(-height // COMPARED_PIXELS), -(-width // COMPARED_PIXELS)), np.bool_)
    for inside_mask in inside_masks:
        near_cells |= _near_border_cells(inside_mask)
    return [
        (x, y, min(x + BLOCK_PIXELS, width), min(y + BLOCK_PIXELS, height))
        for y in range(0, height, BLOCK_PIXELS)
        for x in range(0, width, BLOCK_PIXELS)
        if near_cells[
            y // COMPARED_PIXELS : (y + BLOCK_PIXELS) // COMPARED_PIXELS,
            x // COMPARED_PIXELS : (x + BLOCK_PIXELS) // COMPARED_PIXELS,
        ].any()
    ]


def _near_border_cells(inside_mask: BoolArray) -> BoolArray:
    """Mark cells of `COMPARED_PIXELS` a side that have both kinds in them or in a neighbour."""
    side = COMPARED_PIXELS
    missing = [(0, -length % side) for length in inside_mask.shape]
    padded_mask = np.pad(inside_mask, missing, mode="edge")
    rows, columns = padded_mask.shape[0] // side, padded_mask.shape[1] // side
    cells = padded_mask.reshape(rows, side, columns, side)
    kinds = np.pad(
        np.stack([cells.any(axis=(1, 3)), ~cells.all(axis=(1, 3))]), ((0, 0), (1, 1), (1, 1))
    )
    around = np.asarray(sliding_window_view(kinds, (3, 3), (1, 2)).any(axis=(-2, -1)))
    return np.asarray(around[0] & around[1])


def _region_colours(image: Image.Image, region: Box) -> tuple[FloatArray, FloatArray]:
    """Give a region's colours in LAB, and their averages over what is around each pixel."""
    outer = pad_box(region, AVERAGED_PIXELS, image.size)
    lab = to_lab(to_array(image.crop(outer).convert("RGB")))
    smooth = _box_mean(lab, AVERAGED_PIXELS)
    left, upper = region[0] - outer[0], region[1] - outer[1]
    own = slice(upper, upper + region[3] - region[1]), slice(left, left + region[2] - region[0])
    return lab[own], smooth[own]


def _add_block_steps(
    sums: _StepSums,
    values: FloatArray,
    inside: BoolArray,
    near: BoolArray,
    size: tuple[int, int],
    distance: int,
) -> None:
    """Compare pixels of a block, height × width, with those so far from them along either axis."""
    for axis in (0, 1):
        length = min(size[axis], values.shape[axis] - distance)
        if length < 1:
            continue
        spans = [slice(0, side) for side in size]
        spans[axis] = slice(0, length)
        first = tuple(spans)
        spans[axis] = slice(distance, distance + length)
        second = tuple(spans)
        difference = values[second] - values[first]
        steps = np.sqrt(np.einsum("hwc,hwc->hw", difference, difference))
        is_crossing = inside[first] != inside[second]
        sums.add_steps(steps, is_crossing, near[first] & near[second] & ~is_crossing)


def _near_border_within(inside_mask: BoolArray, region: Box, width: int) -> BoolArray:
    """Mark a region's pixels with both kinds within `width` of them: squares of 2·width + 1."""
    size = inside_mask.shape[1], inside_mask.shape[0]
    left, upper, right, lower = pad_box(region, width, size)
    counts = inside_mask[upper:lower, left:right].astype(np.int32)
    areas = np.ones((1, 1), np.int32)
    for axis, start, stop, origin in (
        (0, region[1], region[3], upper),
        (1, region[0], region[2], left),
    ):
        length = counts.shape[axis]
        sums = np.concatenate([np.zeros_like(counts.take([0], axis)), counts.cumsum(axis)], axis)
        positions = np.arange(start, stop) - origin
        ends = np.minimum(positions + width + 1, length)
        begins = np.maximum(positions - width, 0)
        counts = sums.take(ends, axis) - sums.take(begins, axis)
        spans = ends - begins
        areas = areas * (spans[:, None] if axis == 0 else spans[None, :])
    return np.asarray((counts > 0) & (counts < areas))


def seam_band(mask: Image.Image, width: int) -> Image.Image:
    """Return the mask of all pixels within `width` pixels of the mask's border; `L`, 0 or 255.

    The picture's own border is none of the mask's.
    """
    near = _near_border_within(np.asarray(mask) >= 128, (0, 0, *mask.size), width)
    return Image.fromarray(np.where(near, 255, 0).astype(np.uint8))


def _box_mean(values: FloatArray, radius: int) -> FloatArray:
    """Average over squares of 2·radius + 1, HWC; the picture goes on mirrored at its borders."""
    for axis in (0, 1):
        length = values.shape[axis]
        margins = [(0, 0)] * values.ndim
        margins[axis] = (radius, radius)
        padded_values = np.pad(values, margins, mode="reflect")
        values = np.zeros_like(values)
        for offset in range(2 * radius + 1):
            span = slice(offset, offset + length)
            values += padded_values[span] if axis == 0 else padded_values[:, span]
        values *= np.float32(1 / (2 * radius + 1))
    return values
