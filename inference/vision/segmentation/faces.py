"""The faces in a picture by MTCNN (Zhang et al. 2016, arXiv:1604.02878): three networks in a row.

The first slides over the picture at many sizes and proposes boxes, the second and third look at
each box closer, drop it or move it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from inference.images.arrays import FloatArray
from inference.vision.segmentation.boxes import (
    Boxes,
    crop_boxes,
    shift_boxes,
    square_boxes,
    suppress_overlaps,
)
from inference.vision.segmentation.files import find_face_networks, load_network

MAX_DETECTION_SIDE = 640  # pixels of what is looked at
MIN_FACE_SIDE = 24  # pixels of that
CELL_PIXELS, STRIDE_PIXELS = (
    12,
    2,
)  # pixels one place of the first network looks at, and between two places
PYRAMID_SCALE = 0.709  # from one size to the next: half the area
MIN_PROPOSAL_SCORE, MIN_REFINED_SCORE, MIN_FACE_SCORE = 0.6, 0.7, 0.8  # least scores of the three
FACE_MARGIN = 0.12  # by how much of a box the face is taken larger, each way: chin and hairline


@dataclass(frozen=True, eq=False)
class FaceBoxes:
    """The faces of a picture."""

    #: In the picture's pixels.
    boxes: Boxes
    #: [n, 5, 2] float32: left and right eye, nose, left and right corner of the mouth, as x and y.
    points: FloatArray


class FaceFinder:
    """MTCNN, loaded once."""

    def __init__(self, models: Path) -> None:
        """Load the networks.

        Raises:
            ModelError: one is not there, or damaged.
        """
        nets = [load_network(path) for path in find_face_networks(models)]
        self._propose, self._refine, self._decide = nets

    def segment_faces(self, image: Image.Image) -> Image.Image | None:
        """Mark the faces of an RGB picture as ellipses; `L` 0 or 255 of its size, None if none."""
        boxes = self.find_faces(image).boxes
        if not len(boxes):
            return None
        mask = Image.new("L", image.size, 0)
        pen = ImageDraw.Draw(mask)
        for left, top, right, bottom in boxes[:, :4]:
            margin_x, margin_y = FACE_MARGIN * (right - left), FACE_MARGIN * (bottom - top)
            pen.ellipse(
                (left - margin_x, top - margin_y, right + margin_x, bottom + margin_y), fill=255
            )
        return mask if mask.getbbox() else None

    def find_faces(self, image: Image.Image) -> FaceBoxes:
        """Find the faces of an RGB picture and five points of each."""
        scale = min(1.0, MAX_DETECTION_SIDE / max(image.size))
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        small = image.resize(size, Image.Resampling.BOX)
        boxes: Boxes = square_boxes(self._propose_boxes(small))
        boxes = self._refine_boxes(small, boxes, self._refine, 24, MIN_REFINED_SCORE)
        boxes = square_boxes(boxes[suppress_overlaps(boxes, 0.7)])
        faces = self._decide_faces(small, boxes)
        best = suppress_overlaps(faces.boxes, 0.7, of_smaller=True)
        boxes, points = faces.boxes[best], faces.points[best]
        boxes[:, :4] /= np.float32(scale)
        return FaceBoxes(boxes, points / np.float32(scale))

    def _propose_boxes(self, image: Image.Image) -> Boxes:
        proposals = [np.zeros((0, 5), np.float32)]
        scale = CELL_PIXELS / MIN_FACE_SIDE
        while min(image.size) * scale >= CELL_PIXELS:
            size = (round(image.width * scale), round(image.height * scale))
            view = np.asarray(image.resize(size, Image.Resampling.BOX), dtype=np.float32)
            shifts, scores = _run_network(self._propose, view[None])
            column, row = np.nonzero(scores[0, ..., 1] >= MIN_PROPOSAL_SCORE)
            corner = np.stack([column, row], axis=1).astype(np.float32) * STRIDE_PIXELS
            sides = ((corner + 1) / scale, (corner + CELL_PIXELS) / scale)
            boxes = np.concatenate([*sides, scores[0, column, row, 1, None]], axis=1)
            best = suppress_overlaps(boxes, 0.5)
            proposals.append(shift_boxes(boxes[best], shifts[0, column, row][best]))
            scale *= PYRAMID_SCALE
        all_boxes: Boxes = np.concatenate(proposals)
        return all_boxes[suppress_overlaps(all_boxes, 0.7)]

    def _refine_boxes(
        self, image: Image.Image, boxes: Boxes, network: Any, side: int, min_score: float
    ) -> Boxes:
        """Look at each box closer; drop and move them."""
        if not len(boxes):
            return boxes
        shifts, scores = _run_network(network, crop_boxes(image, boxes, side))
        is_kept = scores[:, 1] >= min_score
        scored_boxes = np.concatenate([boxes[:, :4], scores[:, 1:]], axis=1)
        return shift_boxes(scored_boxes[is_kept], shifts[is_kept])

    def _decide_faces(self, image: Image.Image, boxes: Boxes) -> FaceBoxes:
        """Look closest at each box: drop and move them, and say where eyes, nose and mouth are."""
        if not len(boxes):
            return FaceBoxes(boxes, np.zeros((0, 5, 2), np.float32))
        shifts, places, scores = _run_network(self._decide, crop_boxes(image, boxes, 48))
        is_kept = scores[:, 1] >= MIN_FACE_SCORE
        scored_boxes = np.concatenate([boxes[:, :4], scores[:, 1:]], axis=1)[is_kept]
        # Shares of the box's width, then of its height.
        shares = places[is_kept].reshape(-1, 2, 5).transpose(0, 2, 1)
        sides = scored_boxes[:, None, 2:4] - scored_boxes[:, None, :2] + 1
        points = (scored_boxes[:, None, :2] + shares * sides).astype(np.float32)
        return FaceBoxes(shift_boxes(scored_boxes, shifts[is_kept]), points)


def _run_network(network: Any, images: np.ndarray) -> list[np.ndarray]:
    """Run a network on pictures [n, h, w, 3] of 0..255; these look at them lying on their side."""
    values = (images.transpose(0, 2, 1, 3) - np.float32(127.5)) / np.float32(128)
    return list(network.run(None, {network.get_inputs()[0].name: values}))
