"""The subject of a picture by U²-Net (Qin et al. 2020, arXiv:2005.09007), the small variant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from inference.vision.segmentation.files import find_subject_network, load_network

INPUT_SIDE_PIXELS = 320  # pixels the network looks at
IMAGENET_MEAN = np.array((0.485, 0.456, 0.406), dtype=np.float32)
IMAGENET_STD = np.array((0.229, 0.224, 0.225), dtype=np.float32)
MIN_SUBJECT_CERTAINTY = 0.5  # certainty below which nothing in the picture stands out


class SubjectFinder:
    """U²-Net, loaded once."""

    def __init__(self, models: Path) -> None:
        """Load the network.

        Raises:
            ModelError: it is not there, or damaged.
        """
        self._session = load_network(find_subject_network(models))
        self._input = self._session.get_inputs()[0].name

    def segment_subject(self, image: Image.Image) -> Image.Image | None:
        """Mark the subject of an RGB picture; `L` 0 or 255 of its size, None without one."""
        small = image.resize((INPUT_SIDE_PIXELS, INPUT_SIDE_PIXELS), Image.Resampling.LANCZOS)
        values = np.asarray(small, dtype=np.float32)
        values = values / max(float(values.max()), 1.0)
        values = (values - IMAGENET_MEAN) / IMAGENET_STD
        (certainty, *_) = self._session.run(None, {self._input: values.transpose(2, 0, 1)[None]})
        return mask_from_certainty(certainty[0, 0], image.size, MIN_SUBJECT_CERTAINTY)


def mask_from_certainty(
    certainty: np.ndarray, size: tuple[int, int], min_certainty: float
) -> Image.Image | None:
    """Scale certainties [h, w] in 0..1 to a picture's size and cut them to a mask, `L` 0 or 255.

    Of a network that is sure of something, what it is more than half as sure of counts. None where
    it is sure of nothing.
    """
    max_certainty = float(certainty.max())
    if not max_certainty >= min_certainty:
        return None
    grey = Image.fromarray(np.rint(certainty / max_certainty * 255).astype(np.uint8))
    scaled_mask = grey.resize(size, Image.Resampling.BICUBIC)
    return scaled_mask.point([0] * 128 + [255] * 128)
