"""Text hidden in the lowest bits of a picture's pixels, which survives sites that strip metadata.

Source: the "stealth pnginfo" layout, shared by NovelAI and the web UIs' extension of that name.
A signature of 15 characters, the text's length in bits (32 bits, big-endian), then the text, as it
is or packed with gzip; one bit a value, column by column: in the alpha channel, or in red, green
and blue in turn.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping

from PIL import Image

#: Signatures, and whether the text behind them is packed.
ALPHA: Mapping[bytes, bool] = {b"stealth_pnginfo": False, b"stealth_pngcomp": True}
COLOUR: Mapping[bytes, bool] = {b"stealth_rgbinfo": False, b"stealth_rgbcomp": True}
SIGNATURE = 15  # bytes
LENGTH = 4  # bytes
MAX_TEXT = 1 << 20  # bytes, unpacked
LOWEST = [255 * (value & 1) for value in range(256)]


def read(data: bytes) -> str:
    """Read the text hidden in a PNG or WebP file; empty where there is none.

    Raises: what Pillow raises for a broken file.
    """
    with Image.open(io.BytesIO(data), formats=("PNG", "WEBP")) as picture:
        if picture.mode not in ("RGB", "RGBA"):
            return ""
        if picture.mode == "RGBA" and (found := _hidden(picture, "A", ALPHA)):
            return found
        return _hidden(picture, "RGB", COLOUR)


def _hidden(picture: Image.Image, bands: str, signatures: Mapping[bytes, bool]) -> str:
    head = _bits(picture, bands, SIGNATURE + LENGTH)
    packed = signatures.get(head[:SIGNATURE])
    if packed is None:
        return ""
    count = int.from_bytes(head[SIGNATURE:], "big") // 8
    if not 0 < count <= MAX_TEXT:
        return ""
    body = _bits(picture, bands, SIGNATURE + LENGTH + count)[SIGNATURE + LENGTH :]
    if packed:
        body = zlib.decompressobj(wbits=31).decompress(body, MAX_TEXT)
    return body.decode("utf-8", "replace")


def _bits(picture: Image.Image, bands: str, count: int) -> bytes:
    """Read that many bytes from the lowest bits of the first columns; fewer where it is small."""
    width, height = picture.size
    columns = min(width, -(-count * 8 // (height * len(bands))))
    part = picture.crop((0, 0, columns, height)).transpose(Image.Transpose.TRANSPOSE)
    values = (part.getchannel("A") if bands == "A" else part.convert("RGB")).tobytes()
    line = Image.frombytes("L", (len(values), 1), values)
    return line.point(LOWEST, "1").tobytes()[:count]
