"""Make a finished picture small enough for the place it goes to, losing as little as possible.

Rungs: the PNG as it is; the same pixels as lossless WebP; WebP and JPEG of falling quality; half
the size. Whatever is dropped is said.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from bot.sentences import Sentence

MAX_REQUEST = 24 * 2**20  # bytes of all files of one message; Discord's own limit is 25 MiB
WEBP_SIDE = 16383  # pixels; the format's own limit
QUALITIES = (95, 88, 80)
HALVINGS = 4
USER_COMMENT = 0x9286  # EXIF tag in which the field keeps parameters outside PNG
EXIF_IFD = 0x8769
UNICODE_MARK = b"UNICODE\x00"  # EXIF's own prefix for a comment in UTF-16


@dataclass(frozen=True)
class Packed:
    """A file to send."""

    data: bytes
    #: `png`, `webp` or `jpg`.
    suffix: str
    #: What was dropped; None when nothing was.
    note: Sentence | None = None


def pack(png: bytes, limit: int, infotext: str = "") -> Packed:
    """Return the best file of at most `limit` bytes that shows the picture of `png`."""
    if len(png) <= limit:
        return Packed(png, "png")
    with Image.open(io.BytesIO(png), formats=("PNG", "WEBP", "JPEG", "GIF")) as opened:
        opened.load()
        picture = opened.copy()
    for packed in _rungs(picture, _exif(infotext)):
        if len(packed.data) <= limit:
            return packed
    return packed


def _rungs(picture: Image.Image, exif: bytes) -> Iterator[Packed]:
    small = picture
    for halving in range(HALVINGS + 1):
        size = small.size if halving else None
        if max(small.size) <= WEBP_SIDE:
            if not halving:
                yield Packed(_save(small, "WEBP", exif, lossless=True, method=2), "webp")
            for quality in QUALITIES:
                data = _save(small, "WEBP", exif, quality=quality, method=2)
                yield Packed(data, "webp", _note("WebP", quality, size))
        else:
            flat = small.convert("RGB")
            for quality in QUALITIES:
                data = _save(flat, "JPEG", exif, quality=quality)
                yield Packed(data, "jpg", _note("JPEG", quality, size))
        small = small.resize((max(1, small.width // 2), max(1, small.height // 2)))


def _save(picture: Image.Image, form: str, exif: bytes, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, exif=exif, **options)
    return out.getvalue()


def _exif(infotext: str) -> bytes:
    exif = Image.Exif()
    if infotext:
        exif.get_ifd(EXIF_IFD)[USER_COMMENT] = UNICODE_MARK + infotext.encode("utf-16-be")
    return exif.tobytes()


def _note(form: str, quality: int, size: tuple[int, int] | None) -> Sentence:
    about = {"form": form, "quality": quality}
    if size is None:
        return Sentence(
            "Too large for this channel as it is: shown as {form} of quality {quality}.", **about
        )
    return Sentence(
        "Too large for this channel as it is: shown as {form} of quality {quality} at "
        "{width} × {height} pixels.",
        width=size[0],
        height=size[1],
        **about,
    )
