"""The canvas of an outpainting: how far it grows, and what the ready-made directions mean.

The poor man's method and mk2 share this arithmetic: both axes are rounded up to a multiple of 64
and what the rounding adds is shared out among the sides that grow.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from inference.api.jobs.sizes import PRESET_MARGINS, Margins, grow_axis
from inference.images.errors import CanvasTooLarge, NothingToExtend
from inference.images.regions import Box, Size


@dataclass(frozen=True)
class OutpaintCanvas:
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


def grow_canvas(width: int, height: int, amounts: Margins) -> OutpaintCanvas:
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
    canvas_width, left, right = grow_axis(width, amounts.left, amounts.right)
    canvas_height, up, down = grow_axis(height, amounts.up, amounts.down)
    return OutpaintCanvas(canvas_width, canvas_height, left, right, up, down)


def check_pixels(width: int, height: int, amounts: Margins, max_pixels: int) -> OutpaintCanvas:
    """Return the canvas if it has at most `most` pixels.

    Raises:
        CanvasTooLarge: it has more; the message and `largest` name the most that fits a side,
            keeping the sides' shares.
    """
    grown_canvas = grow_canvas(width, height, amounts)
    if grown_canvas.width * grown_canvas.height <= max_pixels:
        return grown_canvas
    requested_growth = max(amounts.left, amounts.right, amounts.up, amounts.down)
    for largest in range(requested_growth - requested_growth % 8, 0, -8):
        smaller = _scale_amounts(amounts, largest, requested_growth)
        candidate = grow_canvas(width, height, smaller)
        if candidate.width * candidate.height <= max_pixels:
            raise CanvasTooLarge(
                "canvas.too_large_at",
                width=grown_canvas.width,
                height=grown_canvas.height,
                across=candidate.width,
                down=candidate.height,
                largest=largest,
            )
    raise CanvasTooLarge("canvas.source_too_large", width=width, height=height)


def paste_source(image: Image.Image, grown_canvas: OutpaintCanvas) -> Image.Image:
    """Return the canvas with the source on it, black elsewhere; `RGB`."""
    base = Image.new("RGB", (grown_canvas.width, grown_canvas.height))
    base.paste(image.convert("RGB"), (grown_canvas.left, grown_canvas.up))
    return base


def preset_amounts(name: str, width: int, height: int) -> Margins:
    """Return how far a ready-made direction grows a width × height picture.

    Raises:
        NothingToExtend: the picture has that shape already.
        ValueError: there is no such direction.
    """
    if name not in PRESET_MARGINS:
        raise ValueError(f"There is no direction “{name}”; use {', '.join(PRESET_MARGINS)}.")
    amounts = PRESET_MARGINS[name](width, height)
    if amounts == Margins():
        raise NothingToExtend("canvas.nothing_to_add", width=width, height=height, preset=name)
    return amounts


def _scale_amounts(amounts: Margins, largest: int, requested_growth: int) -> Margins:
    def scale_side(side: int) -> int:
        return -(-side * largest // requested_growth)

    return Margins(*map(scale_side, (amounts.left, amounts.right, amounts.up, amounts.down)))
