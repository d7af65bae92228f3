"""What a mask's words ask to be found in the picture: one slice for each thing named."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any

from PIL import Image

from inference.api.prompts import mask_grammar
from inference.engine.work import AuxWork, WorkRequest
from inference.images.errors import NothingFound
from inference.images.mask.fill import flatten_alpha
from inference.operations.shared.side_call import run_beside
from inference.vision.segmentation.segmenters import ImageSegmenter

SEGMENT_QUEUE = "segment"


def segment_named(
    image: Image.Image, mask_text: str
) -> Generator[WorkRequest, list[Any], Mapping[str, Image.Image]]:
    """Find the things that a mask's words name; each `L` 0 or 255 of the picture's size.

    Raises:
        ModelError: a network for it is not there.
        NothingFound: the picture shows no such thing.
        UnreadableMask: the words cannot be read.
    """
    names = mask_grammar.named_objects(mask_text) if mask_text.strip() else ()
    if not names:
        return {}
    source = yield from run_beside(partial(flatten_alpha, image), image.size)
    masks = yield WorkRequest(
        works=tuple(AuxWork(queue_key=(SEGMENT_QUEUE, name), payload=source) for name in names)
    )
    for name, mask in zip(names, masks, strict=True):
        if mask is None:
            raise NothingFound(name)
    return dict(zip(names, masks, strict=True))


def execute_segmentation(
    queue_key: Any, images: Sequence[Image.Image], segmenters: ImageSegmenter
) -> list[Any]:
    """Do the slices of one lane."""
    return list(segmenters.segment_images(str(queue_key[1]), images))
