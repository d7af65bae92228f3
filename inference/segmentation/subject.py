"""The subject of a picture by U²-Net (Qin et al. 2020, arXiv:2005.09007), the small variant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from inference.segmentation.files import find, load

SIDE = 320  # pixels the network looks at
MEAN = np.array((0.485, 0.456, 0.406), dtype=np.float32)
DEVIATION = np.array((0.229, 0.224, 0.225), dtype=np.float32)
LEAST = 0.5  # certainty below which nothing in the picture stands out


class SubjectFinder:
    """U²-Net, loaded once."""

    def __init__(self, models: Path) -> None:
        """Load the network.

        Raises:
            ModelError: it is not there, or damaged.
        """
        self._session = load(find(models, "u2netp", "rembg"))
        self._input = self._session.get_inputs()[0].name

    def find(self, picture: Image.Image) -> Image.Image | None:
        """Mark the subject of an RGB picture; `L` 0 or 255 of its size, None without one."""
        small = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        values = np.asarray(small, dtype=np.float32)
        values = values / max(float(values.max()), 1.0)
        values = (values - MEAN) / DEVIATION
        (certainty, *_) = self._session.run(None, {self._input: values.transpose(2, 0, 1)[None]})
        return cut(certainty[0, 0], picture.size, LEAST)


def cut(certainty: np.ndarray, size: tuple[int, int], least: float) -> Image.Image | None:
    """Scale certainties [h, w] in 0..1 to a picture's size and cut them to a mask, `L` 0 or 255.

    Of a network that is sure of something, what it is more than half as sure of counts. None where
    it is sure of nothing.
    """
    most = float(certainty.max())
    if not most >= least:
        return None
    grey = Image.fromarray(np.rint(certainty / most * 255).astype(np.uint8))
    scaled = grey.resize(size, Image.Resampling.BICUBIC)
    return scaled.point([0] * 128 + [255] * 128)
