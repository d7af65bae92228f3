"""AVIF: extents that lie, boxes in boxes."""

from __future__ import annotations

import functools
import random
import struct

from PIL import Image

from bot.errors import (
    BrokenImage,
)
from tests.bot.uploads.hostile.corpus import EITHER, IMAGE, enter
from tests.doubles.images import animation, encoded


@functools.cache
def avif() -> bytes:
    return encoded(Image.new("RGB", (64, 64), "red"), "AVIF", speed=10)


def of_extent(width: int, height: int) -> bytes:
    at = avif().find(b"ispe") + 8
    return avif()[:at] + struct.pack(">II", width, height) + avif()[at + 8 :]


enter("avif", IMAGE, avif)
enter("avif animation", IMAGE, lambda: animation("AVIF", 5))
enter(
    "avif of 16 megapixels of nothing",
    IMAGE,
    lambda: encoded(Image.new("RGB", (4096, 4096)), "AVIF", speed=10),
)
enter("avif extent of 4,295 megapixels", EITHER, lambda: of_extent(65_535, 65_535))
enter("avif extent unlike its picture", EITHER, lambda: of_extent(4000, 4000))
enter("avif of size 0", EITHER, lambda: of_extent(0, 0))
enter("avif of its type alone", BrokenImage, lambda: avif()[:32])
enter("avif of noise", EITHER, lambda: avif()[:-100] + random.Random(8).randbytes(100))
enter("avif boxes within boxes", EITHER, lambda: avif()[:32] + b"\0\0\xff\xffmeta\0\0\0\0" * 5000)
enter("avif box of length 0", EITHER, lambda: avif()[:32] + b"\0\0\0\0meta" + avif()[40:])
