"""What a mask in words is made of: strips, rectangles, ellipses, things found in the picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image, ImageOps


class Shape(Protocol):
    """Something that can be painted into a mask."""

    def paint(self, mask: Image.Image, grey: int) -> None:
        """Give every pixel of the shape a grey, 0–255; mask `L`."""


@dataclass(frozen=True)
class Length:
    """A length in per cent of a side, or in pixels."""

    value: float
    percent: bool

    def of(self, side: int) -> float:
        """Return the length in pixels where 100% is a side's."""
        return self.value * side / 100 if self.percent else self.value


@dataclass(frozen=True)
class Rectangle:
    """All pixels between two corners."""

    left: Length
    top: Length
    right: Length
    bottom: Length

    def paint(self, mask: Image.Image, grey: int) -> None:
        """Give every pixel of the rectangle a grey."""
        across, down = mask.size
        box = (self.left.of(across), self.top.of(down), self.right.of(across), self.bottom.of(down))
        left, top, right, bottom = (round(edge) for edge in box)
        if left < min(right, across) and top < min(bottom, down):
            mask.paste(grey, (left, top, min(right, across), min(bottom, down)))


@dataclass(frozen=True)
class Side:
    """A strip along one side of the picture."""

    name: str
    length: Length

    def paint(self, mask: Image.Image, grey: int) -> None:
        """Give every pixel of the strip a grey."""
        across, down = mask.size
        wide = min(across, round(self.length.of(across)))
        high = min(down, round(self.length.of(down)))
        boxes = {
            "left": (0, 0, wide, down),
            "right": (across - wide, 0, across, down),
            "top": (0, 0, across, high),
            "bottom": (0, down - high, across, down),
        }
        left, top, right, bottom = boxes[self.name]
        if left < right and top < bottom:
            mask.paste(grey, boxes[self.name])


@dataclass(frozen=True)
class Ellipse:
    """All pixels whose centre lies within an ellipse; without a second radius, within a circle."""

    x: Length
    y: Length
    across: Length
    down: Length | None = None

    def paint(self, mask: Image.Image, grey: int) -> None:
        """Give every pixel of the ellipse a grey."""
        x, y = self.x.of(mask.width), self.y.of(mask.height)
        if self.down is None:
            wide = high = self.across.of(min(mask.size))
        else:
            wide, high = self.across.of(mask.width), self.down.of(mask.height)
        if wide <= 0 or high <= 0:
            return
        box = (
            max(0, int(x - wide)),
            max(0, int(y - high)),
            min(mask.width, int(x + wide) + 1),
            min(mask.height, int(y + high) + 1),
        )
        columns = (np.arange(box[0], box[2], dtype=np.float32) + 0.5 - x) / wide
        rows = (np.arange(box[1], box[3], dtype=np.float32) + 0.5 - y) / high
        inside = columns**2 + rows[:, None] ** 2 <= 1
        if inside.any():
            mask.paste(grey, box, Image.fromarray(inside.astype(np.uint8) * 255))


@dataclass(frozen=True)
class Thing:
    """What is found in the picture under a name, or all but that."""

    name: str
    inverted: bool = False

    def cover(self, found: Mapping[str, Image.Image]) -> Image.Image:
        """Return what it covers; `L` 0 or 255 of the picture's size."""
        return ImageOps.invert(found[self.name]) if self.inverted else found[self.name]
