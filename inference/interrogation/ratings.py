"""How delicate a picture is: one scale for every tagger, for whoever sets rules about pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from inference.interrogation.tags import Tag, TagKind


class Rating(IntEnum):
    """Danbooru's ratings, the mildest first."""

    GENERAL = 0
    SENSITIVE = 1
    QUESTIONABLE = 2
    EXPLICIT = 3


#: What taggers call them: the WD taggers have four, DeepDanbooru has three.
NAMES = {
    "general": Rating.GENERAL,
    "safe": Rating.GENERAL,
    "sensitive": Rating.SENSITIVE,
    "questionable": Rating.QUESTIONABLE,
    "explicit": Rating.EXPLICIT,
}


@dataclass(frozen=True)
class Rated:
    """A picture's ratings, each with its probability, 0–1; they need not add up to 1."""

    chances: Mapping[Rating, float]

    @property
    def likeliest(self) -> Rating:
        """The rating that the tagger thinks right; of equal ones the more delicate."""
        return max(self.chances, key=lambda rating: (self.chances[rating], rating))

    def at_least(self, rating: Rating) -> float:
        """Give the probability of the likeliest rating that is as delicate as this one, or more."""
        return max((p for found, p in self.chances.items() if found >= rating), default=0.0)


def rate(tags: Sequence[Tag]) -> Rated | None:
    """Read the ratings among a picture's tags; None where its tagger knows none."""
    chances = {
        NAMES[tag.label.name]: tag.probability
        for tag in tags
        if tag.label.kind is TagKind.RATING and tag.label.name in NAMES
    }
    return Rated(chances) if chances else None
