"""Pictures for tests: small, made on the spot, some of them hostile."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

from PIL import Image


def png(size: tuple[int, int] = (32, 24), colour: Any = "blue", mode: str = "RGB") -> bytes:
    """A plain PNG."""
    return encoded(Image.new(mode, size, colour))


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """A picture in a file format."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def noise(size: tuple[int, int]) -> Image.Image:
    """The same noise every time: what compresses worst."""
    data = random.Random(7).randbytes(size[0] * size[1] * 3)
    return Image.frombytes("RGB", size, data)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises a picture of that size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, body) for name, body in parts)


def text_bomb(megabytes: int) -> bytes:
    """A small PNG with a compressed text chunk that unpacks to that much."""
    plain = png()
    body = b"Comment\0\0" + zlib.compress(b"a" * (megabytes << 20))
    return plain[:33] + chunk(b"zTXt", body) + plain[33:]


WEBP_INFO = {"loop": 1, "background": (255, 255, 255, 255), "timestamp": 0, "duration": 0}
"""What Pillow notes of a WebP that says nothing about itself."""


def animation(form: str, frames: int = 5, size: tuple[int, int] = (16, 12)) -> bytes:
    """An animation whose first frame is red and whose others are not."""
    first, *others = [
        Image.new("RGB", size, "red" if n == 0 else (0, n * 40 % 256, 255)) for n in range(frames)
    ]
    return encoded(first, form, save_all=True, append_images=others, duration=100)


def pixels(data: bytes) -> Image.Image:
    """Decode a PNG, or a WebP without what Pillow says of every WebP."""
    image = Image.open(io.BytesIO(data), formats=("PNG", "WEBP"))
    image.load()
    if image.format == "WEBP":
        own = {name: image.info.get(name) for name in WEBP_INFO}
        assert own == WEBP_INFO
        image.info = {name: value for name, value in image.info.items() if name not in WEBP_INFO}
    return image


def chunk(name: bytes, body: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + body))
    return struct.pack(">I", len(body)) + name + body + check
