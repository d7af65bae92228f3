"""The sizes that jobs work at, in whole pixels: what a price counts and the operations paint.

Plain arithmetic over integers; no picture in sight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

Size = tuple[int, int]

#: Pixels behind one latent cell along each axis, and what sides are multiples of, unless a model
#: asks for more: transformers look at patches of 2 x 2 cells.
LATENT_CELL_PIXELS = 8
#: Denoising networks halve their latents this often before anything breaks: 64 / 8 cells.
MIN_SIDE_PIXELS = 64
#: Sides of an outpainting's canvas are multiples of this: every network level halves evenly.
CANVAS_MULTIPLE = 64
#: A pan moves the view by this share of the picture's side.
PAN_SHARE = 4


def round_to_latent(length: float, multiple: int = LATENT_CELL_PIXELS) -> int:
    """Round a length in pixels to what a model's latents can hold, never below the smallest."""
    return max(MIN_SIDE_PIXELS, round(length / multiple) * multiple)


def target_size(
    width: int | None,
    height: int | None,
    source: Size | None,
    natural: int,
    multiple: int = LATENT_CELL_PIXELS,
) -> Size:
    """Decide the size to denoise at, in pixels.

    Args:
        width: asked for, or None.
        height: asked for, or None; one alone keeps the source's shape.
        source: the picture's size, None when there is none.
        natural: side of the model's own pictures; their area is taken when nothing is asked for.
        multiple: what sides of the model's pictures are multiples of.
    """
    ratio = source[0] / source[1] if source else 1.0
    sides = natural * math.sqrt(ratio), natural / math.sqrt(ratio)
    if width and height:
        sides = width, height
    elif width:
        sides = width, width / ratio
    elif height:
        sides = height * ratio, height
    return round_to_latent(sides[0], multiple), round_to_latent(sides[1], multiple)


def floor_to_cells(length: float, multiple: int = LATENT_CELL_PIXELS) -> int:
    """Cut a length in pixels down to whole latent cells."""
    return int(length) // multiple * multiple


def floor_to_latent(length: float, multiple: int = LATENT_CELL_PIXELS) -> int:
    """Cut a length in pixels down to what a model's latents can hold, never below the smallest."""
    return max(MIN_SIDE_PIXELS, floor_to_cells(length, multiple))


def hires_sizes(
    size: Size,
    scale: float,
    width: int | None = None,
    height: int | None = None,
    multiple: int = LATENT_CELL_PIXELS,
) -> tuple[Size, Size]:
    """Decide what a hires fix enlarges to, in pixels, and what is left of that.

    One side alone keeps the first pass's shape; both are covered, and what is too much is cut off
    in whole cells. Without either the scale decides. All sides are cut down to the multiple.
    """
    if width and height:
        if width * size[1] > height * size[0]:
            exact = width, width * size[1] // size[0]
        else:
            exact = height * size[0] // size[1], height
        covering = floor_to_latent(exact[0], multiple), floor_to_latent(exact[1], multiple)
        return covering, (
            covering[0] - floor_to_cells(exact[0] - width, multiple),
            covering[1] - floor_to_cells(exact[1] - height, multiple),
        )
    large_size: tuple[float, float] = size[0] * scale, size[1] * scale
    if width:
        large_size = width, width * size[1] // size[0]
    elif height:
        large_size = height * size[0] // size[1], height
    whole = floor_to_latent(large_size[0], multiple), floor_to_latent(large_size[1], multiple)
    return whole, whole


def compute_tile_offsets(length: int, tile: int, overlap: int) -> tuple[int, ...]:
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


def split_evenly(total: int, max_part: int) -> list[int]:
    """Split a length into as few, as even parts of at most `most` as there can be."""
    count = -(-total // max_part)
    return [total * (i + 1) // count - total * i // count for i in range(count)]


@dataclass(frozen=True)
class Margins:
    """How many pixels a picture grows on each side."""

    left: int = 0
    right: int = 0
    up: int = 0
    down: int = 0


def round_up(length: int, multiple: int = CANVAS_MULTIPLE) -> int:
    """Return the least multiple that is not below the length."""
    return -(-length // multiple) * multiple


def grow_axis(length: int, near: int, far: int) -> tuple[int, int, int]:
    """Grow an axis to a multiple of 64: its length then, and what each side grew by.

    What the rounding adds is shared out as the sides were asked for; a side of 0 stays 0.
    """
    total = round_up(length + near + far)
    added_pixels = total - length
    near = near * added_pixels // (near + far) if near else 0
    return total, near, added_pixels - near if far else 0


def zoom_out_margins(width: int, height: int, numerator: int, denominator: int) -> Margins:
    """Show numerator/denominator times as much in each direction, the source in the middle."""
    return _centred_margins(
        width * numerator // denominator - width, height * numerator // denominator - height
    )


def ratio_margins(width: int, height: int, ratio_width: int, ratio_height: int) -> Margins:
    """Grow the shorter axis to the aspect ratio across:down, the source in the middle.

    The rounding to multiples of 64 comes on top.
    """
    wider = max(0, -(-height * ratio_width // ratio_height) - width)
    higher = max(0, -(-width * ratio_height // ratio_width) - height)
    return _centred_margins(wider, higher)


def pan_margins(width: int, height: int, side: str) -> Margins:
    """Grow one side (left, right, up or down) by a quarter of the picture."""
    length = width if side in {"left", "right"} else height
    return Margins(**{side: max(1, length // PAN_SHARE)})


#: Name of a ready-made direction → the amounts for a picture of a width and a height.
PRESET_MARGINS: Mapping[str, Callable[[int, int], Margins]] = MappingProxyType(
    {
        "zoom out 1.5x": lambda w, h: zoom_out_margins(w, h, 3, 2),
        "zoom out 2x": lambda w, h: zoom_out_margins(w, h, 2, 1),
        "pan left": lambda w, h: pan_margins(w, h, "left"),
        "pan right": lambda w, h: pan_margins(w, h, "right"),
        "pan up": lambda w, h: pan_margins(w, h, "up"),
        "pan down": lambda w, h: pan_margins(w, h, "down"),
        "make square": lambda w, h: ratio_margins(w, h, 1, 1),
        "to 16:9": lambda w, h: ratio_margins(w, h, 16, 9),
        "to 9:16": lambda w, h: ratio_margins(w, h, 9, 16),
        "to 4:3": lambda w, h: ratio_margins(w, h, 4, 3),
        "to 3:4": lambda w, h: ratio_margins(w, h, 3, 4),
    }
)


def _centred_margins(wider: int, higher: int) -> Margins:
    return Margins(wider // 2, wider - wider // 2, higher // 2, higher - higher // 2)
