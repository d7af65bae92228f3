"""Draw what masks in words mark: see `inference.api.prompts.mask_grammar`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from PIL import Image

from inference.api.errors import UnreadableMask
from inference.api.prompts.mask_grammar import parse_mask_terms
from inference.images.mask.shapes import paint_shape
from inference.images.regions import Size


def draw_mask(
    text: str, size: Size, object_masks: Mapping[str, Image.Image] = MappingProxyType({})
) -> Image.Image:
    """Draw the mask that words describe, for a picture of a size; `L`, 0 or 255.

    `found` holds the mask of each of the words' `things`.

    Raises:
        UnreadableMask: the words cannot be read, or mark no pixel; says what to write.
    """
    terms = parse_mask_terms(text)
    mask = Image.new("L", size, 0 if terms[0][0] else 255)
    for adds, shape in terms:
        paint_shape(mask, shape, 255 if adds else 0, object_masks)
    if mask.getbbox() is None:
        raise UnreadableMask(
            "mask.marks_nothing", words=text.strip(), width=size[0], height=size[1]
        )
    return mask
