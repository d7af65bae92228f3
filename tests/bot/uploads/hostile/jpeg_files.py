"""JPEG: sizes that lie, scans and segments without end."""

from __future__ import annotations

import functools
import struct

from PIL import Image

from bot.errors import (
    BrokenImage,
    DecodeLimitExceeded,
    TooManyPixels,
)
from tests.bot.uploads.hostile.corpus import EITHER, IMAGE, enter
from tests.bot.uploads.hostile.exif_blocks import tiff
from tests.doubles.images import encoded, noise


@functools.cache
def photo(**options: object) -> bytes:
    return encoded(noise((64, 64)), "JPEG", **options)


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def with_segments(*parts: bytes) -> bytes:
    return photo()[:2] + b"".join(parts) + photo()[2:]


def frame_header(data: bytes) -> int:
    """Where the size stands in a baseline or progressive JPEG."""
    return max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) + 5


def sized(width: int, height: int) -> bytes:
    at = frame_header(photo())
    return photo()[:at] + struct.pack(">HH", height, width) + photo()[at + 4 :]


def scans(count: int, size: tuple[int, int]) -> bytes:
    """A progressive JPEG that paints its picture over and over."""
    data = encoded(Image.new("L", size, 90), "JPEG", progressive=True)
    begin = data.rfind(b"\xff\xda")
    return data[:-2] + data[begin:-2] * count + data[-2:]


enter("jpeg of cmyk", IMAGE, lambda: encoded(Image.new("CMYK", (9, 9), (9, 99, 200, 3)), "JPEG"))
enter("jpeg progressive", IMAGE, lambda: photo(progressive=True))
enter("jpeg header of 4,295 megapixels", TooManyPixels, lambda: sized(65_535, 65_535))
enter("jpeg thread 1 x 65535", TooManyPixels, lambda: sized(1, 65_535))
enter("jpeg of height 0", BrokenImage, lambda: sized(64, 0))
enter("jpeg larger than its data", EITHER, lambda: sized(5000, 5000))
enter("jpeg of 2,000 scans", DecodeLimitExceeded, lambda: scans(2000, (3000, 3000)))
enter("jpeg of 50 scans of 30 megapixels", DecodeLimitExceeded, lambda: scans(50, (6000, 5000)))
enter("jpeg of 300,000 scans of nothing", DecodeLimitExceeded, lambda: scans(300_000, (8, 8)))
enter("jpeg of 100 scans", IMAGE, lambda: scans(100, (64, 64)))
enter("jpeg without tables", EITHER, lambda: photo().replace(b"\xff\xdb", b"\xff\xef"))
enter("jpeg without codes", EITHER, lambda: photo().replace(b"\xff\xc4", b"\xff\xef"))
enter(
    "jpeg of 12 bits", EITHER, lambda: photo().replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c")
)
enter("jpeg lossless", EITHER, lambda: photo().replace(b"\xff\xc0", b"\xff\xc3"))
enter("jpeg arithmetic", EITHER, lambda: photo().replace(b"\xff\xc0", b"\xff\xc9"))
enter("jpeg of 255 channels", EITHER, lambda: photo().replace(b"\x03\x01\x22", b"\xff\x01\x22", 1))
enter("jpeg segment of length 0", EITHER, lambda: with_segments(b"\xff\xe1\0\0"))
enter("jpeg segment past its end", BrokenImage, lambda: photo()[:2] + b"\xff\xe1\xff\xffx")
enter(
    "jpeg of 20 megabytes of comments",
    IMAGE,
    lambda: with_segments(*[segment(0xFE, b"x" * 65_000)] * 300),
)
enter(
    "jpeg of 300 exifs",
    IMAGE,
    lambda: with_segments(*[segment(0xE1, b"Exif\0\0" + b"x" * 65_000)] * 300),
)
enter("jpeg of 100,000 segments", EITHER, lambda: with_segments(*[segment(0xE5, b"")] * 100_000))
enter(
    "jpeg of a profile in wrong parts",
    IMAGE,
    lambda: with_segments(*[segment(0xE2, b"ICC_PROFILE\0\xff\x01" + b"x" * 60_000)] * 100),
)
enter(
    "jpeg of a second picture that is not there",
    EITHER,
    lambda: with_segments(
        segment(0xE2, b"MPF\0" + tiff((0xB001, 4, 1, 60_000), (0xB002, 7, 16, 8)))
    ),
)
enter(
    "jpeg of photoshop blocks",
    IMAGE,
    lambda: with_segments(segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\xff" + b"\xff" * 60)),
)
enter("jpeg of 5,000 fill bytes", EITHER, lambda: photo()[:2] + b"\xff" * 5000 + photo()[3:])
enter("jpeg with a zip behind it", IMAGE, lambda: photo() + b"PK\x03\x04" + b"x" * 5000)
enter("jpeg with a page in it", IMAGE, lambda: with_segments(segment(0xFE, b"<html><script>")))
enter("jpeg of three bytes", BrokenImage, lambda: b"\xff\xd8\xff")
enter("jpeg of markers only", BrokenImage, lambda: b"\xff\xd8\xff" * 300_000)
enter(
    "jpeg xmp of 60,000 brackets",
    IMAGE,
    lambda: with_segments(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<" * 60_000)),
)
