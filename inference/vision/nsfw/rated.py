"""A tagger that also rates pictures, as the WD taggers and DeepDanbooru do: it knows drawings."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from inference.vision.interrogation.tagging.ratings import ContentRating, rating_scores
from inference.vision.interrogation.tagging.tag_files import DEEP_DANBOORU_FILE, WD_FILE
from inference.vision.interrogation.tagging.tagger import load_tagger
from inference.vision.interrogation.tagging.tags import TagKind


def is_tagger(folder: Path) -> bool:
    """Tell a tagger by the file that says what its outputs stand for."""
    return any((folder / name).is_file() for name in (WD_FILE, DEEP_DANBOORU_FILE))


class RatingTagger:
    """Takes a picture's rating for how surely it is not for everybody."""

    def __init__(self, folder: Path) -> None:
        """Load it.

        Raises:
            ModelError: files are missing or broken.
            ValueError: none of its tags is a rating.
        """
        self._tagger = load_tagger(folder, torch.device("cpu"))
        if not any(label.kind is TagKind.RATING for label in self._tagger.labels):
            raise ValueError("none of its tags is a rating")
        self.name = folder.name
        self.about = "rates drawings as their readers do: questionable or explicit"

    def nsfw_score(self, image: Image.Image) -> float:
        """Return the probability of the likeliest rating from questionable on."""
        ratings = rating_scores(self._tagger.tag_images([image])[0])
        return 0.0 if ratings is None else ratings.probability_at_least(ContentRating.QUESTIONABLE)
