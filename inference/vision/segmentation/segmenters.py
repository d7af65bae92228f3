"""The networks that mark parts of pictures, each loaded when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from inference.api.messages import ModelInfo
from inference.model_files.errors import ModelError
from inference.vision.segmentation.faces import FaceBoxes, FaceFinder
from inference.vision.segmentation.files import (
    find_clipseg,
    find_face_networks,
    find_subject_network,
)
from inference.vision.segmentation.subject import SubjectFinder

if TYPE_CHECKING:
    from inference.vision.segmentation.words import WordFinder


class ImageSegmenter:
    """Marks what is asked for in pictures, on the processor."""

    def __init__(self, models: Path) -> None:
        self._models = models

    def list_segmenters(self) -> tuple[ModelInfo, ...]:
        """List what can be marked, by whether its networks and what runs them are installed."""
        has_runtime = find_spec("onnxruntime") is not None
        checks = {
            "subject": lambda: has_runtime and find_subject_network(self._models),
            "face": lambda: has_runtime and find_face_networks(self._models),
            "words": lambda: find_clipseg(self._models),
        }
        return tuple(
            ModelInfo(name=name, kind="mask", size=0)
            for name, check in checks.items()
            if _is_installed(check)
        )

    def segment_images(
        self, target: str, images: Sequence[Image.Image]
    ) -> list[Image.Image | None]:
        """Mark one thing in RGB pictures; `L` 0 or 255 of each one's size, None where it is not.

        Raises:
            ModelError: the network for it is not there, or damaged.
        """
        match target:
            case "subject":
                return [self._subject_finder.segment_subject(image) for image in images]
            case "face":
                return [self._face_finder.segment_faces(image) for image in images]
            case _:
                return [self._word_finder.segment_text(image, target) for image in images]

    def find_faces(self, images: Sequence[Image.Image]) -> list[FaceBoxes]:
        """Find the faces of RGB pictures.

        Raises:
            ModelError: the networks for it are not there, or damaged.
        """
        return [self._face_finder.find_faces(image) for image in images]

    @cached_property
    def _subject_finder(self) -> SubjectFinder:
        return SubjectFinder(self._models)

    @cached_property
    def _face_finder(self) -> FaceFinder:
        return FaceFinder(self._models)

    @cached_property
    def _word_finder(self) -> WordFinder:
        # Not at the top: its classes cost every start what few hosts ever need.
        from inference.vision.segmentation.words import WordFinder

        return WordFinder(self._models)


def _is_installed(check: Callable[[], object]) -> bool:
    try:
        return bool(check())
    except ModelError:
        return False
