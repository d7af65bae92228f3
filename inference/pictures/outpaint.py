"""The canvas of an outpainting: how far it grows, and what the ready-made directions mean.

The poor man's method and mk2 share this arithmetic: both axes are rounded up to a multiple of 64
and what the rounding adds is shared out among the sides that grow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from PIL import Image

from inference.pictures.errors import CanvasTooLarge, NothingToExtend
from inference.pictures.regions import Box, Size

#: Canvas sides are multiples of this many pixels, so that every network level halves evenly.
CANVAS_MULTIPLE = 64
#: A pan moves the view by this share of the picture's side.
PAN_SHARE = 4


@dataclass(frozen=True)
class Amounts:
    """How many pixels a picture grows on each side."""

    left: int = 0
    right: int = 0
    up: int = 0
    down: int = 0


@dataclass(frozen=True)
class Canvas:
    """A grown canvas with the source somewhere on it; all in pixels."""

    #: Size of the canvas, multiples of 64.
    width: int
    height: int
    #: Growth of each side after rounding; 0 where that side does not grow.
    left: int
    right: int
    up: int
    down: int

    def source_box(self, size: Size) -> Box:
        """Return where a source of the size lies on the canvas."""
        return self.left, self.up, self.left + size[0], self.up + size[1]

    def result_box(self, size: Size) -> Box:
        """Return the part of the canvas that is the result for a source of the size.

        An axis that does not grow keeps the source's length: the surplus of its rounding is
        repainted with the rest and cut off again.
        """
        return (
            0,
            0,
            self.width if self.left or self.right else size[0],
            self.height if self.up or self.down else size[1],
        )


def round_up(length: int, multiple: int = CANVAS_MULTIPLE) -> int:
    """Return the least multiple that is not below the length."""
    return -(-length // multiple) * multiple


def canvas(width: int, height: int, amounts: Amounts) -> Canvas:
    """Grow a width × height source by the amounts, rounded up to multiples of 64.

    Raises:
        NothingToExtend: every amount is 0.
        ValueError: an amount is negative.
    """
    sides = (amounts.left, amounts.right, amounts.up, amounts.down)
    if min(sides) < 0:
        raise ValueError("A picture cannot grow by less than 0 pixels.")
    if not any(sides):
        raise NothingToExtend
    total_width = round_up(width + amounts.left + amounts.right)
    total_height = round_up(height + amounts.up + amounts.down)
    left, right = _share(total_width - width, amounts.left, amounts.right)
    up, down = _share(total_height - height, amounts.up, amounts.down)
    return Canvas(total_width, total_height, left, right, up, down)


def check_pixels(width: int, height: int, amounts: Amounts, most: int) -> Canvas:
    """Return the canvas if it has at most `most` pixels.

    Raises:
        CanvasTooLarge: it has more; the message and `largest` name the most that fits a side,
            keeping the sides' shares.
    """
    grown = canvas(width, height, amounts)
    if grown.width * grown.height <= most:
        return grown
    wanted = max(amounts.left, amounts.right, amounts.up, amounts.down)
    for largest in range(wanted - wanted % 8, 0, -8):
        smaller = _scaled(amounts, largest, wanted)
        candidate = canvas(width, height, smaller)
        if candidate.width * candidate.height <= most:
            raise CanvasTooLarge(
                f"A canvas of {grown.width} × {grown.height} is too large for this host; "
                f"at most {largest} pixels a side fit ({candidate.width} × {candidate.height}).",
                largest=largest,
            )
    raise CanvasTooLarge(
        f"A picture of {width} × {height} cannot be extended on this host; make it smaller first."
    )


def paste_source(picture: Image.Image, grown: Canvas) -> Image.Image:
    """Return the canvas with the source on it, black elsewhere; `RGB`."""
    base = Image.new("RGB", (grown.width, grown.height))
    base.paste(picture.convert("RGB"), (grown.left, grown.up))
    return base


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


def preset_amounts(name: str, width: int, height: int) -> Amounts:
    """Return how far a ready-made direction grows a width × height picture.

    Raises:
        NothingToExtend: the picture has that shape already.
        ValueError: there is no such direction.
    """
    if name not in PRESETS:
        raise ValueError(f"There is no direction “{name}”; use {', '.join(PRESETS)}.")
    amounts = PRESETS[name](width, height)
    if amounts == Amounts():
        raise NothingToExtend(
            f"The picture is {width} × {height}: nothing to add for “{name}”. Choose another one."
        )
    return amounts


def _share(growth: int, near: int, far: int) -> tuple[int, int]:
    """Share an axis' growth between its near and its far side, as they were asked for."""
    near = near * growth // (near + far) if near else 0
    return near, growth - near if far else 0


def _centred(wider: int, higher: int) -> Amounts:
    return Amounts(wider // 2, wider - wider // 2, higher // 2, higher - higher // 2)


def _scaled(amounts: Amounts, largest: int, wanted: int) -> Amounts:
    def scale(side: int) -> int:
        return -(-side * largest // wanted)

    return Amounts(*map(scale, (amounts.left, amounts.right, amounts.up, amounts.down)))
