"""Tags with probabilities become a line of text: pure functions, in the field's own format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

#: Two letters in a row make a word; a tag without one is a face.
_LETTER_PAIR = re.compile(r"[^\W\d_]{2}")


class TagKind(StrEnum):
    """What a tag speaks of."""

    GENERAL = "general"
    CHARACTER = "character"
    #: How delicate the picture is: never part of a prompt.
    RATING = "rating"


@dataclass(frozen=True)
class TagLabel:
    """What one output of a tagger stands for."""

    name: str
    kind: TagKind = TagKind.GENERAL


@dataclass(frozen=True)
class Tag:
    """A label and its probability, 0–1."""

    label: TagLabel
    probability: float


@dataclass(frozen=True)
class TagRules:
    """Which tags are written, and how."""

    threshold: float = 0.5
    order: Literal["name", "score"] = "name"
    #: Write spaces where tags have underscores.
    spaces: bool = True
    #: Put a backslash before what a prompt would read as weights: \\ ( ).
    escape: bool = True
    #: Write `(tag:0.812)`.
    show_ranks: bool = False
    #: Tags never written, with spaces or underscores.
    hidden: tuple[str, ...] = ()
    #: The most tags, the likeliest of them; 0 for all.
    top: int = 0


def without_ratings(tags: Sequence[Tag]) -> tuple[Tag, ...]:
    """Leave ratings out: they say how delicate a picture is, not what it shows."""
    return tuple(tag for tag in tags if tag.label.kind is not TagKind.RATING)


def select_tags(tags: Sequence[Tag], rules: TagRules) -> tuple[Tag, ...]:
    """Pick the tags to write, in their order; ratings are never among them."""
    hidden_names = {_with_spaces(name.strip().lower()) for name in rules.hidden}
    candidates = [
        tag
        for tag in without_ratings(tags)
        if tag.probability >= rules.threshold
        and _with_spaces(tag.label.name.lower()) not in hidden_names
    ]
    likeliest = sorted(candidates, key=lambda tag: (-tag.probability, tag.label.name))
    best = likeliest[: rules.top or None]
    return tuple(best if rules.order == "score" else sorted(best, key=lambda tag: tag.label.name))


def format_tags(tags: Sequence[Tag], rules: TagRules) -> str:
    """Write tags as a prompt: `1girl, smile, sitting`."""
    return ", ".join(_format_tag(tag, rules) for tag in select_tags(tags, rules))


def _format_tag(tag: Tag, rules: TagRules) -> str:
    name = _with_spaces(tag.label.name) if rules.spaces else tag.label.name
    if rules.escape:
        name = re.sub(r"([\\()])", r"\\\1", name)
    return f"({name}:{tag.probability:.3f})" if rules.show_ranks else name


def _with_spaces(name: str) -> str:
    """Write spaces for underscores, but not within faces: `^_^`, `o_o`."""
    is_face = not _LETTER_PAIR.search(name)
    return name if is_face else name.replace("_", " ")
