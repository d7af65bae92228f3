"""Make a finished picture small enough for the place it goes to, losing as little as possible.

Rungs: the PNG as it is; the same pixels as lossless WebP; WebP and JPEG of falling quality; half
the size. Whatever is dropped is said.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import ExifTags, Image

from bot.i18n.message import TranslatableMessage

MAX_REQUEST_BYTES = 24 * 2**20  # bytes of all files of one message; Discord's own limit is 25 MiB
WEBP_SIDE = 16383  # pixels; the format's own limit
LOSSY_QUALITIES = (95, 88, 80)
MAX_HALVINGS = 4
UNICODE_MARK = b"UNICODE\x00"  # EXIF's own prefix for a comment in UTF-16


@dataclass(frozen=True)
class CompressedFile:
    """A file to send."""

    data: bytes
    #: `png`, `webp` or `jpg`.
    suffix: str
    #: What was dropped; None when nothing was.
    note: TranslatableMessage | None = None


def compress_to_limit(png: bytes, limit: int, infotext: str = "") -> CompressedFile:
    """Return the best file of at most `limit` bytes that shows the picture of `png`."""
    if len(png) <= limit:
        return CompressedFile(png, "png")
    with Image.open(io.BytesIO(png), formats=("PNG", "WEBP", "JPEG", "GIF")) as opened_file:
        opened_file.load()
        image = opened_file.copy()
    for compressed_file in _compression_steps(image, _infotext_exif(infotext)):
        if len(compressed_file.data) <= limit:
            return compressed_file
    return compressed_file


def _compression_steps(image: Image.Image, exif: bytes) -> Iterator[CompressedFile]:
    scaled_image = image
    for halvings in range(MAX_HALVINGS + 1):
        size = scaled_image.size if halvings else None
        if max(scaled_image.size) <= WEBP_SIDE:
            if not halvings:
                yield CompressedFile(
                    _encode_image(scaled_image, "WEBP", exif, lossless=True, method=2), "webp"
                )
            for quality in LOSSY_QUALITIES:
                data = _encode_image(scaled_image, "WEBP", exif, quality=quality, method=2)
                yield CompressedFile(data, "webp", describe_loss("WebP", quality, size))
        else:
            rgb_image = scaled_image.convert("RGB")
            for quality in LOSSY_QUALITIES:
                data = _encode_image(rgb_image, "JPEG", exif, quality=quality)
                yield CompressedFile(data, "jpg", describe_loss("JPEG", quality, size))
        scaled_image = scaled_image.resize(
            (max(1, scaled_image.width // 2), max(1, scaled_image.height // 2))
        )


def _encode_image(image: Image.Image, form: str, exif: bytes, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, exif=exif, **options)
    return out.getvalue()


def _infotext_exif(infotext: str) -> bytes:
    exif = Image.Exif()
    if infotext:
        comment = UNICODE_MARK + infotext.encode("utf-16-be")
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    return exif.tobytes()


def describe_loss(form: str, quality: int, size: tuple[int, int] | None) -> TranslatableMessage:
    """Say what was dropped of a picture; `size` where it is smaller than that was."""
    message_args = {"form": form, "quality": quality}
    if size is None:
        return TranslatableMessage(
            "Too large for this channel as it is: shown as {form} of quality {quality}.",
            **message_args,
        )
    return TranslatableMessage(
        "Too large for this channel as it is: shown as {form} of quality {quality} at "
        "{width} × {height} pixels.",
        width=size[0],
        height=size[1],
        **message_args,
    )
