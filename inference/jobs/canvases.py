"""The sizes that jobs work at, in whole pixels: what a price counts and the operations paint.

Plain arithmetic over integers; no picture in sight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

Size = tuple[int, int]

#: Pixels behind one latent cell along each axis.
CELL = 8
#: Denoising networks halve their latents this often before anything breaks: 64 / 8 cells.
SMALLEST = 64
#: Sides of an outpainting's canvas are multiples of this: every network level halves evenly.
CANVAS_MULTIPLE = 64
#: A pan moves the view by this share of the picture's side.
PAN_SHARE = 4


def multiple(length: float) -> int:
    """Round a length in pixels to what latents can hold, never below the smallest."""
    return max(SMALLEST, round(length / CELL) * CELL)


def target_size(width: int | None, height: int | None, source: Size | None, natural: int) -> Size:
    """Decide the size to denoise at, in pixels, both multiples of 8.

    Args:
        width: asked for, or None.
        height: asked for, or None; one alone keeps the source's shape.
        source: the picture's size, None when there is none.
        natural: side of the model's own pictures; their area is taken when nothing is asked for.
    """
    ratio = source[0] / source[1] if source else 1.0
    if width and height:
        return multiple(width), multiple(height)
    if width:
        return multiple(width), multiple(width / ratio)
    if height:
        return multiple(height * ratio), multiple(height)
    return multiple(natural * math.sqrt(ratio)), multiple(natural / math.sqrt(ratio))


def starts(length: int, tile: int, overlap: int) -> tuple[int, ...]:
    """Spread tiles evenly over a length, neighbours sharing at least `overlap` pixels.

    Raises:
        ValueError: the overlap leaves a tile nothing of its own.
    """
    if length <= tile:
        return (0,)
    if not 0 <= overlap < tile:
        raise ValueError(f"An overlap of {overlap} must lie from 0 to below the tile's {tile}.")
    count = -(-(length - overlap) // (tile - overlap))
    # The step is a float, as in the tools this has to agree with; it may fall one pixel short of
    # the far border, where the last tile is set by hand.
    step = (length - tile) / (count - 1)
    return (*(int(index * step) for index in range(count - 1)), length - tile)


def even_parts(total: int, most: int) -> list[int]:
    """Split a length into as few, as even parts of at most `most` as there can be."""
    count = -(-total // most)
    return [total * (i + 1) // count - total * i // count for i in range(count)]


@dataclass(frozen=True)
class Amounts:
    """How many pixels a picture grows on each side."""

    left: int = 0
    right: int = 0
    up: int = 0
    down: int = 0


def round_up(length: int, multiple: int = CANVAS_MULTIPLE) -> int:
    """Return the least multiple that is not below the length."""
    return -(-length // multiple) * multiple


def grow(length: int, near: int, far: int) -> tuple[int, int, int]:
    """Grow an axis to a multiple of 64: its length then, and what each side grew by.

    What the rounding adds is shared out as the sides were asked for; a side of 0 stays 0.
    """
    total = round_up(length + near + far)
    added = total - length
    near = near * added // (near + far) if near else 0
    return total, near, added - near if far else 0


def zoom_out(width: int, height: int, numerator: int, denominator: int) -> Amounts:
    """Show numerator/denominator times as much in each direction, the source in the middle."""
    return _centred(
        width * numerator // denominator - width, height * numerator // denominator - height
    )


def to_ratio(width: int, height: int, across: int, down: int) -> Amounts:
    """Grow the shorter axis to the aspect ratio across:down, the source in the middle.

    The rounding to multiples of 64 comes on top.
    """
    wider = max(0, -(-height * across // down) - width)
    higher = max(0, -(-width * down // across) - height)
    return _centred(wider, higher)


def pan(width: int, height: int, side: str) -> Amounts:
    """Grow one side (left, right, up or down) by a quarter of the picture."""
    length = width if side in {"left", "right"} else height
    return Amounts(**{side: max(1, length // PAN_SHARE)})


#: Name of a ready-made direction → the amounts for a picture of a width and a height.
PRESETS: Mapping[str, Callable[[int, int], Amounts]] = MappingProxyType(
    {
        "zoom out 1.5x": lambda w, h: zoom_out(w, h, 3, 2),
        "zoom out 2x": lambda w, h: zoom_out(w, h, 2, 1),
        "pan left": lambda w, h: pan(w, h, "left"),
        "pan right": lambda w, h: pan(w, h, "right"),
        "pan up": lambda w, h: pan(w, h, "up"),
        "pan down": lambda w, h: pan(w, h, "down"),
        "make square": lambda w, h: to_ratio(w, h, 1, 1),
        "to 16:9": lambda w, h: to_ratio(w, h, 16, 9),
        "to 9:16": lambda w, h: to_ratio(w, h, 9, 16),
        "to 4:3": lambda w, h: to_ratio(w, h, 4, 3),
        "to 3:4": lambda w, h: to_ratio(w, h, 3, 4),
    }
)


def _centred(wider: int, higher: int) -> Amounts:
    return Amounts(wider // 2, wider - wider // 2, higher // 2, higher - higher // 2)
