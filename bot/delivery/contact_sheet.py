"""A contact sheet: the pictures of a batch in one, each under its number."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

MAX_SHEET_SIDE_PIXELS = 2048  # pixels of a whole sheet
MIN_CELL_PIXELS = 192  # pixels of a cell's longer side: numbers must be readable
GAP_PIXELS = 8  # pixels between two pictures
BACKGROUND_COLOUR = (24, 25, 28)
NUMBER_COLOUR, OUTLINE_COLOUR = (255, 255, 255), (0, 0, 0)
NUMBER_HEIGHT_SHARE, MIN_NUMBER_PIXELS, MAX_NUMBER_PIXELS = 0.11, 18, 72
"""A number's height as a share of its cell's shorter side, and its bounds in pixels."""


def make_contact_sheet(files: Sequence[bytes], infotext: str = "") -> bytes:
    """Lay pictures out in rows, numbered from 1, left to right; a PNG.

    Takes at most as many columns as make the sheet about as wide as it is high. The pictures keep
    their ratio, and their size as long as the sheet has at most 2,048 pixels a side.
    """
    images = [_open_image(data) for data in files]
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    widest = max(image.width for image in images)
    highest = max(image.height for image in images)
    scale = min(
        max(1.0, MIN_CELL_PIXELS / max(widest, highest)),
        (MAX_SHEET_SIDE_PIXELS - GAP_PIXELS * (columns - 1)) / columns / widest,
        (MAX_SHEET_SIDE_PIXELS - GAP_PIXELS * (rows - 1)) / rows / highest,
    )
    width, height = max(1, round(widest * scale)), max(1, round(highest * scale))
    size = (columns * (width + GAP_PIXELS) - GAP_PIXELS, rows * (height + GAP_PIXELS) - GAP_PIXELS)
    sheet = Image.new("RGB", size, BACKGROUND_COLOUR)
    for index, image in enumerate(images):
        place = (index % columns * (width + GAP_PIXELS), index // columns * (height + GAP_PIXELS))
        sheet.paste(_scale_to_cell(image, scale), place)
        _draw_number(sheet, index + 1, place, min(width, height))
    return _encode_sheet(sheet, infotext)


def _open_image(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        return image.convert("RGBA")


def _scale_to_cell(image: Image.Image, scale: float) -> Image.Image:
    """Scale a picture for its cell; what is transparent shows the sheet's ground."""
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    background = Image.new("RGBA", image.size, (*BACKGROUND_COLOUR, 255))
    flat_image = Image.alpha_composite(background, image).convert("RGB")
    return (
        flat_image if flat_image.size == size else flat_image.resize(size, Image.Resampling.LANCZOS)
    )


def _draw_number(sheet: Image.Image, number: int, place: tuple[int, int], side: int) -> None:
    """Write a number into the upper left corner, white in black to show on any ground."""
    height = max(MIN_NUMBER_PIXELS, min(MAX_NUMBER_PIXELS, side * NUMBER_HEIGHT_SHARE))
    margin = height * 0.35
    ImageDraw.Draw(sheet).text(
        (place[0] + margin, place[1] + margin),
        str(number),
        fill=NUMBER_COLOUR,
        font=ImageFont.load_default(height),
        anchor="lt",
        stroke_width=max(2, round(height / 10)),
        stroke_fill=OUTLINE_COLOUR,
    )


def _encode_sheet(sheet: Image.Image, infotext: str) -> bytes:
    info = PngInfo()
    if infotext:
        info.add_itxt("parameters", infotext)
    out = io.BytesIO()
    sheet.save(out, "PNG", pnginfo=info)
    return out.getvalue()
