"""How delicate a picture is: one scale for every tagger, for whoever sets rules about pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from inference.vision.interrogation.tagging.tags import Tag, TagKind


class ContentRating(IntEnum):
    """Danbooru's ratings, the mildest first."""

    GENERAL = 0
    SENSITIVE = 1
    QUESTIONABLE = 2
    EXPLICIT = 3


#: What taggers call them: the WD taggers have four, DeepDanbooru has three.
RATINGS_BY_NAME = {
    "general": ContentRating.GENERAL,
    "safe": ContentRating.GENERAL,
    "sensitive": ContentRating.SENSITIVE,
    "questionable": ContentRating.QUESTIONABLE,
    "explicit": ContentRating.EXPLICIT,
}


@dataclass(frozen=True)
class RatingScores:
    """A picture's ratings, each with its probability, 0–1; they need not add up to 1."""

    chances: Mapping[ContentRating, float]

    @property
    def likeliest_rating(self) -> ContentRating:
        """The rating that the tagger thinks right; of equal ones the more delicate."""
        return max(self.chances, key=lambda rating: (self.chances[rating], rating))

    def probability_at_least(self, rating: ContentRating) -> float:
        """Give the probability of the likeliest rating that is as delicate as this one, or more."""
        return max(
            (p for scored_rating, p in self.chances.items() if scored_rating >= rating), default=0.0
        )


def rating_scores(tags: Sequence[Tag]) -> RatingScores | None:
    """Read the ratings among a picture's tags; None where its tagger knows none."""
    chances = {
        RATINGS_BY_NAME[tag.label.name]: tag.probability
        for tag in tags
        if tag.label.kind is TagKind.RATING and tag.label.name in RATINGS_BY_NAME
    }
    return RatingScores(chances) if chances else None
