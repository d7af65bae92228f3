"""What a mask's words ask to be found in the picture: one slice for each thing named."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from PIL import Image

from inference.engine.work import Ask, Slice
from inference.pictures import shapes
from inference.pictures.errors import NothingFound
from inference.pictures.fill import flatten
from inference.segmentation.segmenters import Segmenters

LANE = "segment"


def found_in(
    picture: Image.Image, words: str
) -> Generator[Ask, list[Any], Mapping[str, Image.Image]]:
    """Find the things that a mask's words name; each `L` 0 or 255 of the picture's size.

    Raises:
        ModelError: a network for it is not there.
        NothingFound: the picture shows no such thing.
        UnreadableMask: the words cannot be read.
    """
    names = shapes.things(words) if words.strip() else ()
    if not names:
        return {}
    source = flatten(picture)
    masks = yield Ask(works=tuple(Slice(lane=(LANE, name), load=source) for name in names))
    for name, mask in zip(names, masks, strict=True):
        if mask is None:
            raise NothingFound(name)
    return dict(zip(names, masks, strict=True))


def perform(lane: Any, pictures: Sequence[Image.Image], segmenters: Segmenters) -> list[Any]:
    """Do the slices of one lane."""
    return list(segmenters.find(str(lane[1]), pictures))
