"""What is shown of unfinished pictures: one small JPEG."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from PIL import Image
from torch import Tensor

from inference.diffusion.model import to_image
from inference.images.contact_sheet import make_contact_sheet, near_square_columns

#: Of the whole preview, in pixels: what a phone shows of a card.
PREVIEW_SIDE_PIXELS = 320
#: Of one file; few are half as large.
MAX_PREVIEW_BYTES = 16 * 1024
JPEG_QUALITIES = (80, 60, 40, 20)


def encode_preview(images: Sequence[Tensor | Image.Image]) -> bytes:
    """Lay pictures side by side and encode them as JPEG."""
    return encode_small_jpeg(make_preview_sheet([_as_rgb_image(image) for image in images]))


def make_preview_sheet(images: list[Image.Image]) -> Image.Image:
    """Lay pictures of one shape side by side, 320 pixels along the longer side of it all."""
    columns = near_square_columns(len(images))
    width, height = images[0].size
    scale = PREVIEW_SIDE_PIXELS / max(width * columns, height * math.ceil(len(images) / columns))
    cell = (max(1, round(width * scale)), max(1, round(height * scale)))
    cells = [image.resize(cell, Image.Resampling.BICUBIC) for image in images]
    return make_contact_sheet(cells, gutter=0)


def encode_small_jpeg(image: Image.Image) -> bytes:
    """Encode a picture as JPEG of at most `MAX_PREVIEW_BYTES` bytes, smaller where it must be."""
    while True:
        for quality in JPEG_QUALITIES:
            out = io.BytesIO()
            image.save(out, "JPEG", quality=quality, optimize=True)
            if out.tell() <= MAX_PREVIEW_BYTES:
                return out.getvalue()
        image = image.resize((max(1, image.width // 2), max(1, image.height // 2)))


def _as_rgb_image(image: Tensor | Image.Image) -> Image.Image:
    if isinstance(image, Image.Image):
        return image.convert("RGB")
    return to_image(image)
