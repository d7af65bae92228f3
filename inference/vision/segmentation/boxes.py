"""Boxes around things: which of several mean the same one, and how they are cut out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from inference.images.arrays import FloatArray

BoxIndexes = npt.NDArray[np.intp]
Boxes = FloatArray
"""[n, 5] float32: left, top, right, bottom in pixels, and a score."""


def suppress_overlaps(boxes: Boxes, max_overlap: float, *, of_smaller: bool = False) -> BoxIndexes:
    """Return the places of the best box of each group that overlaps by more than `most` (0..1).

    The overlap is a share of what both cover together, or of the smaller one.
    """
    order = np.argsort(-boxes[:, 4], kind="stable")
    kept_indexes: list[int] = []
    areas = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    while order.size:
        best, order = order[0], order[1:]
        kept_indexes.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[order, :2])
        high = np.minimum(boxes[best, 2:4], boxes[order, 2:4])
        intersection = np.prod(np.maximum(0, high - low + 1), axis=1)
        union = areas[best] + areas[order] - intersection
        reference_area = np.minimum(areas[best], areas[order]) if of_smaller else union
        order = order[intersection / reference_area <= max_overlap]
    return np.array(kept_indexes, dtype=np.intp)


def shift_boxes(boxes: Boxes, shifts: np.ndarray) -> Boxes:
    """Move each edge by a share of its box's width or height; `shifts` is [n, 4]."""
    wide = boxes[:, 2] - boxes[:, 0] + 1
    high = boxes[:, 3] - boxes[:, 1] + 1
    sides = np.stack([wide, high, wide, high], axis=1)
    return np.concatenate([boxes[:, :4] + shifts * sides, boxes[:, 4:]], axis=1)


def square_boxes(boxes: Boxes) -> Boxes:
    """Make each box a square of its longer side around the same middle."""
    low, high = boxes[:, :2], boxes[:, 2:4]
    half = np.max(high - low, axis=1, keepdims=True) / 2
    middle = (low + high) / 2
    return np.concatenate([middle - half, middle + half, boxes[:, 4:]], axis=1)


def crop_boxes(image: Image.Image, boxes: Boxes, side: int) -> np.ndarray:
    """Cut boxes out of an RGB picture, black beyond its edges; [n, side, side, 3] float32."""
    crops = []
    for left, top, right, bottom in np.rint(boxes[:, :4]).astype(int).tolist():
        crop = image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
        small = crop.resize((side, side), Image.Resampling.BOX)
        crops.append(np.asarray(small, dtype=np.float32))
    return np.stack(crops)
