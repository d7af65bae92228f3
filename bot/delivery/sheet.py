"""A contact sheet: the pictures of a batch in one, each under its number."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

LARGEST_SIDE = 2048  # pixels of a whole sheet
LEAST_CELL = 192  # pixels of a cell's longer side: numbers must be readable
GAP = 8  # pixels between two pictures
GROUND = (24, 25, 28)
INK, PAPER = (255, 255, 255), (0, 0, 0)
NUMBER_SHARE, SMALLEST, LARGEST = 0.11, 18, 72
"""A number's height as a share of its cell's shorter side, and its bounds in pixels."""


def make_sheet(files: Sequence[bytes], infotext: str = "") -> bytes:
    """Lay pictures out in rows, numbered from 1, left to right; a PNG.

    Takes at most as many columns as make the sheet about as wide as it is high. The pictures keep
    their ratio, and their size as long as the sheet has at most 2,048 pixels a side.
    """
    pictures = [_opened(data) for data in files]
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    widest = max(picture.width for picture in pictures)
    highest = max(picture.height for picture in pictures)
    scale = min(
        max(1.0, LEAST_CELL / max(widest, highest)),
        (LARGEST_SIDE - GAP * (columns - 1)) / columns / widest,
        (LARGEST_SIDE - GAP * (rows - 1)) / rows / highest,
    )
    width, height = max(1, round(widest * scale)), max(1, round(highest * scale))
    size = (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP)
    sheet = Image.new("RGB", size, GROUND)
    for index, picture in enumerate(pictures):
        place = (index % columns * (width + GAP), index // columns * (height + GAP))
        sheet.paste(_scaled(picture, scale), place)
        _number(sheet, index + 1, place, min(width, height))
    return _encoded(sheet, infotext)


def _opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
        return picture.convert("RGBA")


def _scaled(picture: Image.Image, scale: float) -> Image.Image:
    """Scale a picture for its cell; what is transparent shows the sheet's ground."""
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    ground = Image.new("RGBA", picture.size, (*GROUND, 255))
    flat = Image.alpha_composite(ground, picture).convert("RGB")
    return flat if flat.size == size else flat.resize(size, Image.Resampling.LANCZOS)


def _number(sheet: Image.Image, number: int, place: tuple[int, int], side: int) -> None:
    """Write a number into the upper left corner, white in black to show on any ground."""
    height = max(SMALLEST, min(LARGEST, side * NUMBER_SHARE))
    margin = height * 0.35
    ImageDraw.Draw(sheet).text(
        (place[0] + margin, place[1] + margin),
        str(number),
        fill=INK,
        font=ImageFont.load_default(height),
        anchor="lt",
        stroke_width=max(2, round(height / 10)),
        stroke_fill=PAPER,
    )


def _encoded(sheet: Image.Image, infotext: str) -> bytes:
    info = PngInfo()
    if infotext:
        info.add_itxt("parameters", infotext)
    out = io.BytesIO()
    sheet.save(out, "PNG", pnginfo=info)
    return out.getvalue()
