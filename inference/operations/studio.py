"""What an operation may ask of its surroundings: which models there are and what they are like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from inference.models.library import Library

Pictures = Mapping[str, Image.Image]


@dataclass(frozen=True)
class Studio:
    """The models at hand."""

    library: Library
    #: Pixels of the largest picture a job may ask for.
    max_pixels: int = 2048 * 2048
