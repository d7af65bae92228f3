"""Go between Pillow pictures and numpy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

#: float32 0–1 unless a docstring says otherwise.
FloatArray = npt.NDArray[np.float32]
#: Any real array, for functions that keep the precision they are given.
RealArray = npt.NDArray[np.floating[Any]]


def to_array(image: Image.Image) -> FloatArray:
    """Return a picture's values as float32 0–1, HWC (or HW for mode `L`)."""
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def to_image(array: RealArray) -> Image.Image:
    """Return an array of 0–1, HWC or HW, as an 8-bit picture, clipped and rounded to nearest."""
    levels = np.clip(array, 0, 1)
    levels *= levels.dtype.type(255)
    return Image.fromarray(np.rint(levels, out=levels).astype(np.uint8))
