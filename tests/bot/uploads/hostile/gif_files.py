"""GIF: frames, comments and codes without end."""

from __future__ import annotations

import random
import struct

from bot.errors import (
    BrokenImage,
    TooManyPixels,
)
from tests.bot.uploads.hostile.corpus import EITHER, IMAGE, enter
from tests.doubles.images import animation

CANVAS = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
FRAME = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\0"
COMMENT = b"\x21\xfe"


def canvas(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + CANVAS[10:]


enter("gif of 500 frames", IMAGE, lambda: animation("GIF", 500))
enter("gif of a million frames", EITHER, lambda: CANVAS + FRAME * 1_000_000 + b";")
enter(
    "gif canvas of 4,295 megapixels", TooManyPixels, lambda: canvas(65_535, 65_535) + FRAME + b";"
)
enter("gif canvas of 32 megapixels", EITHER, lambda: canvas(6400, 5000) + FRAME + b";")
enter("gif thread 1 x 65535", TooManyPixels, lambda: canvas(1, 65_535) + FRAME + b";")
enter("gif of size 0", EITHER, lambda: canvas(0, 0) + FRAME + b";")
enter(
    "gif frame beyond its canvas",
    EITHER,
    lambda: (
        CANVAS + b"\x2c" + struct.pack("<HHHHB", 60_000, 60_000, 60_000, 60_000, 0) + FRAME[10:]
    ),
)
enter("gif frame of size 0", EITHER, lambda: CANVAS + b"\x2c" + b"\0" * 9 + FRAME[10:] + b";")
enter("gif of no frame", BrokenImage, lambda: CANVAS + b";")
enter("gif of codes of 12 bits", EITHER, lambda: CANVAS + FRAME[:10] + b"\x0c\x02\x4c\x01\0;")
enter("gif of codes of 255 bits", EITHER, lambda: CANVAS + FRAME[:10] + b"\xff\x02\x4c\x01\0;")
enter("gif of bad codes", EITHER, lambda: CANVAS + FRAME[:10] + b"\x02\x08" + b"\xff" * 8 + b"\0;")
enter(
    "gif comment of 20 megabytes",
    IMAGE,
    lambda: CANVAS + COMMENT + (b"\xff" + b"x" * 255) * 80_000 + b"\0" + FRAME + b";",
)
enter(
    "gif of 20 megabytes after its frame",
    IMAGE,
    lambda: CANVAS + FRAME + COMMENT + (b"\xff" + b"x" * 255) * 80_000 + b"\0;",
)
enter(
    "gif of two million comments",
    BrokenImage,
    lambda: CANVAS + (COMMENT + b"\x01x\0") * 2_000_000 + FRAME + b";",
)
enter(
    "gif of a million extensions",
    EITHER,
    lambda: CANVAS + b"\x21\xf9\x04\0\0\0\0\0" * 1_000_000 + FRAME + b";",
)
enter(
    "gif data without end", EITHER, lambda: CANVAS + FRAME[:11] + (b"\xff" + b"\0" * 255) * 80_000
)
enter("gif of noise", EITHER, lambda: CANVAS + random.Random(4).randbytes(100_000))
enter(
    "gif without palette",
    EITHER,
    lambda: b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0) + FRAME + b";",
)
enter("gif with a page behind it", IMAGE, lambda: CANVAS + FRAME + b";<html><script>")
enter("gif that is also a script", EITHER, lambda: b"GIF89a/*" + b"\0" * 8 + b"*/=1;alert(1)")
