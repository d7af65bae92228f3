"""What a checker is, and which ones a host has."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from PIL import Image

from inference.models.errors import ModelError

log = logging.getLogger(__name__)

FOLDER = "safety"
"""Where in the models folder a host's own checkpoints lie."""
MAX_FRAMES = 8  # frames of an animation that are looked at, spread over its length


class Checker(Protocol):
    """Looks at one picture."""

    #: What it is called.
    name: str
    #: What it can tell, and what it cannot, as a sentence.
    about: str

    def score(self, picture: Image.Image) -> float:
        """Return from 0 to 1 how surely an RGB picture is not for everybody."""
        ...


def find_checkers(models: Path) -> list[Checker]:
    """Load what there is: the optional package, and each folder in the models' `safety`."""
    return [*_packaged(), *_own(models / FOLDER)]


def score_of(data: bytes, checkers: Sequence[Checker]) -> float:
    """Return the highest score that any checker gives any frame of a picture's file.

    Raises:
        OSError: the file is no picture.
    """
    with Image.open(io.BytesIO(data), formats=("PNG", "WEBP", "GIF", "JPEG")) as opened:
        frames = list(_frames(opened))
    return max(checker.score(frame) for frame in frames for checker in checkers)


def _frames(opened: Image.Image) -> Iterator[Image.Image]:
    count = getattr(opened, "n_frames", 1)
    chosen = {number * (count - 1) // max(1, MAX_FRAMES - 1) for number in range(MAX_FRAMES)}
    for number in sorted(chosen):
        opened.seek(number)
        yield flat(opened)


def flat(picture: Image.Image) -> Image.Image:
    """Lay a picture over white: transparency hides nothing from a checker."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    shown = picture.convert("RGBA")
    ground = Image.new("RGBA", shown.size, "white")
    return Image.alpha_composite(ground, shown).convert("RGB")


def _packaged() -> list[Checker]:
    try:
        from inference.safety.open_nsfw import OpenNsfw
    except ImportError:
        return []
    return [OpenNsfw()]


def _own(folder: Path) -> Iterator[Checker]:
    """Load a host's own checkpoints; one that cannot be read is left out and said."""
    from_disk = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in from_disk:
        try:
            checker = _load(path)
        except (OSError, ValueError, KeyError, ModelError) as error:
            log.error("The checker %s cannot be used: %s", path.name, error)
        else:
            yield from [checker] if checker is not None else []


def _load(folder: Path) -> Checker | None:
    """Load a checkpoint by what its folder holds; None where that is none."""
    from inference.safety.rated import RatingTagger, is_tagger

    if is_tagger(folder):
        return RatingTagger(folder)
    if not (folder / "config.json").is_file():
        return None
    kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["architectures"]
    if kind == ["StableDiffusionSafetyChecker"]:
        from inference.safety.concepts import Concepts

        return Concepts(folder)
    from inference.safety.classifier import Classifier

    return Classifier(folder)
