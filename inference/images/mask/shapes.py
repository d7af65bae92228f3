"""What a mask in words is made of: strips, rectangles, ellipses, things found in the picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image, ImageOps


class MaskShape(Protocol):
    """Something that can be painted into a mask."""

    def paint_mask(self, mask: Image.Image, grey: int) -> None:
        """Give every pixel of the shape a grey, 0–255; mask `L`."""


@dataclass(frozen=True)
class ShapeLength:
    """A length in per cent of a side, or in pixels."""

    value: float
    percent: bool

    def in_pixels(self, side: int) -> float:
        """Return the length in pixels where 100% is a side's."""
        return self.value * side / 100 if self.percent else self.value


@dataclass(frozen=True)
class Rectangle:
    """All pixels between two corners."""

    left: ShapeLength
    top: ShapeLength
    right: ShapeLength
    bottom: ShapeLength

    def paint_mask(self, mask: Image.Image, grey: int) -> None:
        """Give every pixel of the rectangle a grey."""
        width, height = mask.size
        box = (
            self.left.in_pixels(width),
            self.top.in_pixels(height),
            self.right.in_pixels(width),
            self.bottom.in_pixels(height),
        )
        left, top, right, bottom = (round(edge) for edge in box)
        if left < min(right, width) and top < min(bottom, height):
            mask.paste(grey, (left, top, min(right, width), min(bottom, height)))


@dataclass(frozen=True)
class EdgeStrip:
    """A strip along one side of the picture."""

    name: str
    length: ShapeLength

    def paint_mask(self, mask: Image.Image, grey: int) -> None:
        """Give every pixel of the strip a grey."""
        width, height = mask.size
        strip_width = min(width, round(self.length.in_pixels(width)))
        strip_height = min(height, round(self.length.in_pixels(height)))
        boxes = {
            "left": (0, 0, strip_width, height),
            "right": (width - strip_width, 0, width, height),
            "top": (0, 0, width, strip_height),
            "bottom": (0, height - strip_height, width, height),
        }
        left, top, right, bottom = boxes[self.name]
        if left < right and top < bottom:
            mask.paste(grey, boxes[self.name])


@dataclass(frozen=True)
class Ellipse:
    """All pixels whose centre lies within an ellipse; without a second radius, within a circle."""

    x: ShapeLength
    y: ShapeLength
    radius_x: ShapeLength
    radius_y: ShapeLength | None = None

    def paint_mask(self, mask: Image.Image, grey: int) -> None:
        """Give every pixel of the ellipse a grey."""
        x, y = self.x.in_pixels(mask.width), self.y.in_pixels(mask.height)
        if self.radius_y is None:
            half_width = half_height = self.radius_x.in_pixels(min(mask.size))
        else:
            half_width, half_height = (
                self.radius_x.in_pixels(mask.width),
                self.radius_y.in_pixels(mask.height),
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


@dataclass(frozen=True)
class SegmentedObject:
    """What is found in the picture under a name, or all but that."""

    name: str
    inverted: bool = False

    def object_mask(self, object_masks: Mapping[str, Image.Image]) -> Image.Image:
        """Return what it covers; `L` 0 or 255 of the picture's size."""
        return (
            ImageOps.invert(object_masks[self.name]) if self.inverted else object_masks[self.name]
        )
