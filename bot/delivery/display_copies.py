"""Copies of results that are shown in their stead: small ones enlarged, those of a batch numbered.

What a job made is kept as it is; a copy carries its generation parameters, so that a copy that is
saved and sent again still tells how it was made.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont, ImageOps
from PIL.PngImagePlugin import PngInfo

STORED_FORMATS = ("PNG", "WEBP")  # those of results, and of what members sent
MIN_SHOWN_PIXELS = 384  # pixels of the longer side, from which a picture is shown as it is
DETAIL_PIXELS = 512  # pixels a side of what is shown pixel by pixel
THUMBNAIL_PIXELS = 256  # pixels a side of a picture among others
MAX_THUMBNAIL_IMAGES = 4  # pictures of a batch that its thumbnail shows
THUMBNAIL_QUALITY = 82  # WebP's
NUMBER_COLOUR, OUTLINE_COLOUR = (255, 255, 255, 255), (0, 0, 0, 255)
NUMBER_HEIGHT_SHARE, MIN_NUMBER_PIXELS, MAX_NUMBER_PIXELS = 0.09, 18, 72
"""A number's height as a share of the picture's shorter side, and its bounds in pixels."""


def display_factor(width: int, height: int) -> int:
    """Return the whole number by which a picture is enlarged to be shown; 1 for large ones."""
    return max(1, math.ceil(MIN_SHOWN_PIXELS / max(1, width, height)))


def make_display_copy(data: bytes, infotext: str = "", number: int | None = None) -> bytes:
    """Enlarge a picture by a whole number to 384 pixels, and number it in the corner; a PNG.

    Args:
        data: a PNG, or a lossless WebP.
        infotext: the generation parameters that the copy carries.
        number: its place in a batch, counted from 1; None writes none.
    """
    with Image.open(io.BytesIO(data), formats=STORED_FORMATS) as opened_image:
        image = opened_image.convert("RGBA" if opened_image.has_transparency_data else "RGB")
    factor = display_factor(*image.size)
    if factor > 1:
        size = (image.width * factor, image.height * factor)
        image = image.resize(size, Image.Resampling.LANCZOS)
    if number is not None:
        _draw_number(image, number)
    return _encode_png(image, infotext)


def make_thumbnail(images: Sequence[bytes], number: int) -> bytes:
    """Show a picture whole in a square of 256 pixels, or four of a batch; a numbered WebP.

    Args:
        images: PNGs, or lossless WebPs; of more than four, the first four are shown.
        number: what is written into the corner.
    """
    shown_images = images[:MAX_THUMBNAIL_IMAGES]
    columns = 1 if len(shown_images) == 1 else 2
    cell = THUMBNAIL_PIXELS // columns
    square = Image.new("RGBA", (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    for place, data in enumerate(shown_images):
        with Image.open(io.BytesIO(data), formats=STORED_FORMATS) as opened_image:
            opened_image.load()
            image = ImageOps.contain(opened_image, (cell, cell), Image.Resampling.LANCZOS)
        left, upper = place % columns * cell, place // columns * cell
        corner = (left + (cell - image.width) // 2, upper + (cell - image.height) // 2)
        square.paste(image.convert("RGBA"), corner)
    _draw_number(square, number)
    out = io.BytesIO()
    square.save(out, "WEBP", quality=THUMBNAIL_QUALITY)
    return out.getvalue()


def crop_details(source: bytes, result: bytes) -> tuple[bytes, bytes]:
    """Cut the middle out of a result, and the same part of its source enlarged alike; two PNGs."""
    with Image.open(io.BytesIO(source), formats=STORED_FORMATS) as opened_image:
        source_image = opened_image.convert("RGB")
    with Image.open(io.BytesIO(result), formats=STORED_FORMATS) as opened_image:
        result_image = opened_image.convert("RGB")
    width, height = min(DETAIL_PIXELS, result_image.width), min(DETAIL_PIXELS, result_image.height)
    left, upper = (result_image.width - width) // 2, (result_image.height - height) // 2
    box = (left, upper, left + width, upper + height)
    share_x = source_image.width / result_image.width
    share_y = source_image.height / result_image.height
    part = (box[0] * share_x, box[1] * share_y, box[2] * share_x, box[3] * share_y)
    enlarged_part = source_image.resize((width, height), Image.Resampling.BICUBIC, box=part)
    return _encode_png(enlarged_part), _encode_png(result_image.crop(box))


def _encode_png(image: Image.Image, infotext: str = "") -> bytes:
    info = PngInfo()
    if infotext:
        info.add_itxt("parameters", infotext)
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=info)
    return out.getvalue()


def _draw_number(image: Image.Image, number: int) -> None:
    """Write a number into the upper left corner, white in black to show on any ground."""
    share = min(image.size) * NUMBER_HEIGHT_SHARE
    height = max(MIN_NUMBER_PIXELS, min(MAX_NUMBER_PIXELS, share))
    margin = height * 0.35
    ImageDraw.Draw(image).text(
        (margin, margin),
        str(number),
        fill=NUMBER_COLOUR if image.mode == "RGBA" else NUMBER_COLOUR[:3],
        font=ImageFont.load_default(height),
        anchor="lt",
        stroke_width=max(2, round(height / 10)),
        stroke_fill=OUTLINE_COLOUR if image.mode == "RGBA" else OUTLINE_COLOUR[:3],
    )
