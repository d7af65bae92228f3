"""EXIF that follows itself, lies about its size, or makes no sense, in three formats."""

from __future__ import annotations

import functools
import random
import struct
from collections.abc import Callable

from PIL import Image

from tests.bot.uploads.hostile.corpus import IMAGE, enter
from tests.doubles.images import encoded


def tiff(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    """A TIFF block with one directory of (tag, type, count, value or offset)."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (
        b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + struct.pack("<I", following)
    )


def with_exif(block: bytes, form: str = "JPEG") -> bytes:
    return encoded(Image.new("RGB", (16, 8), "red"), form, exif=b"Exif\0\0" + block)


ORIENTATION, EXIF_IFD, GPS_IFD, MAKER = 0x0112, 0x8769, 0x8825, 0x927C
EXIFS: dict[str, Callable[[], bytes]] = {
    "whose directory follows itself": lambda: tiff((ORIENTATION, 3, 1, 6), following=8),
    "whose part is the whole": lambda: tiff((EXIF_IFD, 4, 1, 8), (GPS_IFD, 4, 1, 8)),
    "of 4,000,000,000 values": lambda: tiff((ORIENTATION, 3, 4_000_000_000, 8)),
    "of 65,535 entries": lambda: b"II*\0\x08\0\0\0\xff\xff" + b"\0" * 60_000,
    "whose values lie outside": lambda: tiff((MAKER, 7, 1000, 0xFFFFFF00)),
    "of an unknown type": lambda: tiff((ORIENTATION, 99, 1, 6)),
    "turned by 9": lambda: tiff((ORIENTATION, 3, 1, 9)),
    "turned by a word": lambda: tiff((ORIENTATION, 2, 4, 0x00393939)),
    "divided by zero": lambda: tiff((ORIENTATION, 5, 1, 8)),
    "cut off": lambda: tiff((ORIENTATION, 3, 1, 6))[:11],
    "of noise": lambda: random.Random(3).randbytes(60_000),
    "of nothing": lambda: b"",
}
for words, block in EXIFS.items():
    for form in ("JPEG", "PNG", "WEBP"):
        enter(
            f"{form.lower()} with exif {words}",
            IMAGE,
            functools.partial(lambda b, f: with_exif(b(), f), block, form),
        )
