"""Paint what a mask in words is made of: strips, rectangles, ellipses, things found in it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageOps

from inference.api.prompts.mask_grammar import Ellipse, MaskTerm, SegmentedObject


def paint_shape(
    mask: Image.Image, shape: MaskTerm, grey: int, object_masks: Mapping[str, Image.Image]
) -> None:
    """Give every pixel of a shape a grey, 0–255; mask `L`.

    `object_masks` are `L` 0 or 255 of the picture's size, by the names of what was found in it.
    """
    if isinstance(shape, SegmentedObject):
        object_mask = object_masks[shape.name]
        mask.paste(grey, mask=ImageOps.invert(object_mask) if shape.inverted else object_mask)
    elif isinstance(shape, Ellipse):
        _paint_ellipse(mask, shape, grey)
    elif box := shape.pixel_box(mask.size):
        mask.paste(grey, box)


def _paint_ellipse(mask: Image.Image, ellipse: Ellipse, grey: int) -> None:
    """Give every pixel whose centre lies within an ellipse a grey."""
    x, y = ellipse.x.in_pixels(mask.width), ellipse.y.in_pixels(mask.height)
    if ellipse.radius_y is None:
        half_width = half_height = ellipse.radius_x.in_pixels(min(mask.size))
    else:
        half_width, half_height = (
            ellipse.radius_x.in_pixels(mask.width),
            ellipse.radius_y.in_pixels(mask.height),
        )
    if half_width <= 0 or half_height <= 0:
        return
    box = (
        max(0, int(x - half_width)),
        max(0, int(y - half_height)),
        min(mask.width, int(x + half_width) + 1),
        min(mask.height, int(y + half_height) + 1),
    )
    columns = (np.arange(box[0], box[2], dtype=np.float32) + 0.5 - x) / half_width
    rows = (np.arange(box[1], box[3], dtype=np.float32) + 0.5 - y) / half_height
    inside_ellipse = columns**2 + rows[:, None] ** 2 <= 1
    if inside_ellipse.any():
        mask.paste(grey, box, Image.fromarray(inside_ellipse.astype(np.uint8) * 255))
