"""The networks that mark parts of pictures, each loaded when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from inference.segmentation.faces import FaceFinder
from inference.segmentation.subject import SubjectFinder

if TYPE_CHECKING:
    from inference.segmentation.words import WordFinder


class Segmenters:
    """Marks what is asked for in pictures, on the processor."""

    def __init__(self, models: Path) -> None:
        self._models = models

    def find(self, what: str, pictures: Sequence[Image.Image]) -> list[Image.Image | None]:
        """Mark one thing in RGB pictures; `L` 0 or 255 of each one's size, None where it is not.

        Raises:
            ModelError: the network for it is not there, or damaged.
        """
        match what:
            case "subject":
                return [self._subject.find(picture) for picture in pictures]
            case "face":
                return [self._face.find(picture) for picture in pictures]
            case _:
                return [self._words.find(picture, what) for picture in pictures]

    @cached_property
    def _subject(self) -> SubjectFinder:
        return SubjectFinder(self._models)

    @cached_property
    def _face(self) -> FaceFinder:
        return FaceFinder(self._models)

    @cached_property
    def _words(self) -> WordFinder:
        # Not at the top: its classes cost every start what few hosts ever need.
        from inference.segmentation.words import WordFinder

        return WordFinder(self._models)
