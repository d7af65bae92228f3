"""Make a copy of a finished picture that fits the place where it is shown, beside its PNG.

Rungs, the first that fits: the same pixels as lossless WebP, WebP (JPEG for sides beyond WebP's) of
falling quality, half the size. Lossless WebP of a large picture takes many seconds, so it is only
made where a sample says that it will fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from inference.images.errors import TextTooLong
from inference.images.metadata import MAX_SIDE_BY_FORMAT, FileFormat, encode_image

LOSSY_QUALITIES = (95, 88, 80)
MAX_HALVINGS = 4
#: Of one piece of the sample, in pixels, and how many are taken along each side.
SAMPLE_TILE_PIXELS, SAMPLE_TILES = 256, 3
#: How much more than the sample says a picture may take: no sample is the picture.
SAMPLE_MARGIN = 1.05


@dataclass(frozen=True)
class EncodedCopy:
    """A file to show."""

    data: bytes
    media_type: str
    #: In pixels.
    size: tuple[int, int]
    #: 1 to 100; 0 where no pixel was changed.
    quality: int = 0


def encode_display_copy(image: Image.Image, limit: int, infotext: str = "") -> EncodedCopy | None:
    """Return the best file of at most `limit` bytes that shows a picture; None where none fits."""
    for scale in range(MAX_HALVINGS + 1):
        for copy in _encode_steps(image, limit, infotext, lossless=scale == 0):
            if len(copy.data) <= limit:
                return copy
        image = image.resize((max(1, image.width // 2), max(1, image.height // 2)))
    return None


def estimate_lossless_bytes(image: Image.Image) -> float:
    """Estimate, from pieces spread over a picture, the bytes of it as lossless WebP."""
    side = SAMPLE_TILE_PIXELS * SAMPLE_TILES
    if image.width <= side or image.height <= side:
        sample = image
    else:
        sample = Image.new(image.mode, (side, side))
        for row in range(SAMPLE_TILES):
            for column in range(SAMPLE_TILES):
                left, top = (
                    (length - SAMPLE_TILE_PIXELS) * number // (SAMPLE_TILES - 1)
                    for length, number in ((image.width, column), (image.height, row))
                )
                box = (left, top, left + SAMPLE_TILE_PIXELS, top + SAMPLE_TILE_PIXELS)
                sample.paste(
                    image.crop(box), (column * SAMPLE_TILE_PIXELS, row * SAMPLE_TILE_PIXELS)
                )
    share = image.width * image.height / (sample.width * sample.height)
    return len(encode_image(sample, "webp", lossless=True, effort=2)) * share


def _encode_steps(
    image: Image.Image, limit: int, infotext: str, *, lossless: bool
) -> Iterator[EncodedCopy]:
    file_format: FileFormat = "webp" if max(image.size) <= MAX_SIDE_BY_FORMAT["webp"] else "jpeg"
    media_type = f"image/{file_format}"
    if (
        lossless
        and file_format == "webp"
        and estimate_lossless_bytes(image) * SAMPLE_MARGIN <= limit
    ):
        data = _encode_with_text(image, file_format, infotext, lossless=True)
        yield EncodedCopy(data, media_type, image.size)
    for quality in LOSSY_QUALITIES:
        data = _encode_with_text(image, file_format, infotext, quality=quality)
        yield EncodedCopy(data, media_type, image.size, quality)


def _encode_with_text(
    image: Image.Image,
    file_format: FileFormat,
    infotext: str,
    *,
    quality: int = 90,
    lossless: bool = False,
) -> bytes:
    """Encode a picture with its parameters, or without where the format holds no such long text."""
    for text in (infotext, ""):
        try:
            return encode_image(
                image, file_format, text, quality=quality, lossless=lossless, effort=2
            )
        except TextTooLong:
            continue
    raise TextTooLong
