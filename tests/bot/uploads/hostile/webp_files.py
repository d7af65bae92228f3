"""WebP: canvases that lie, parts that are none."""

from __future__ import annotations

import functools
import random
import struct

from PIL import Image

from bot.errors import (
    BrokenImage,
    TooManyPixels,
)
from tests.bot.uploads.hostile.corpus import EITHER, IMAGE, enter
from tests.doubles.images import animation, encoded, noise


def riff(*parts: tuple[bytes, bytes], length: int | None = None) -> bytes:
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in parts
    )
    return b"RIFF" + struct.pack("<I", len(body) if length is None else length) + body


def extended(width: int, height: int, flags: int = 0x10) -> tuple[bytes, bytes]:
    sizes = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return b"VP8X", bytes([flags, 0, 0, 0]) + sizes


@functools.cache
def webp(**options: object) -> bytes:
    return encoded(noise((64, 64)), "WEBP", **options)


def lossless(width: int, height: int) -> bytes:
    bits = 0x2F | (width - 1) << 8 | (height - 1) << 22
    return riff((b"VP8L", struct.pack("<Q", bits)[:5] + b"\0" * 20))


enter("webp of 500 frames", IMAGE, lambda: animation("WEBP", 500))
enter(
    "webp of 16 megapixels of nothing",
    IMAGE,
    lambda: encoded(Image.new("RGB", (4096, 4096)), "WEBP", lossless=True, method=0),
)
enter(
    "webp of 32 megapixels",
    TooManyPixels,
    lambda: encoded(Image.new("RGB", (6400, 5000)), "WEBP", lossless=True, method=0),
)
enter("webp header of 268 megapixels", EITHER, lambda: lossless(16_384, 16_384))
enter(
    "webp canvas of 281,474,943 megapixels",
    EITHER,
    lambda: riff(extended(1 << 24, 1 << 24), (b"VP8L", b"\x2f\0\0\0\0")),
)
enter(
    "webp canvas unlike its picture",
    EITHER,
    lambda: riff(extended(4000, 4000), (b"VP8 ", webp()[20:])),
)
enter("webp of no picture", EITHER, lambda: riff(extended(64, 64)))
enter("webp of an empty picture", EITHER, lambda: riff((b"VP8 ", b"")))
enter("webp of length 0", EITHER, lambda: b"RIFF\0\0\0\0" + webp()[8:])
enter("webp of length 4,294,967,295", EITHER, lambda: b"RIFF\xff\xff\xff\xff" + webp()[8:])
enter(
    "webp with a profile of noise",
    IMAGE,
    lambda: webp(icc_profile=random.Random(5).randbytes(9000)),
)
enter("webp exif of 10 megabytes", IMAGE, lambda: webp(exif=b"Exif\0\0" + b"x" * 10_000_000))
enter(
    "webp of alpha noise",
    EITHER,
    lambda: riff(
        extended(64, 64), (b"ALPH", random.Random(6).randbytes(500)), (b"VP8 ", webp()[20:])
    ),
)
enter(
    "webp of 100,000 unknown parts",
    EITHER,
    lambda: riff(extended(64, 64), *[(b"EVIL", b"")] * 100_000, (b"VP8 ", webp()[20:])),
)
enter("webp of noise", EITHER, lambda: b"RIFF\0\1\0\0WEBPVP8 " + random.Random(7).randbytes(500))
enter("webp signature alone", BrokenImage, lambda: b"RIFF\0\0\0\0WEBP")
enter("webp with a zip behind it", IMAGE, lambda: webp() + b"PK\x03\x04" + b"x" * 5000)
