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
ALPHA_SIGNATURES: Mapping[bytes, bool] = {b"stealth_pnginfo": False, b"stealth_pngcomp": True}
COLOUR_SIGNATURES: Mapping[bytes, bool] = {b"stealth_rgbinfo": False, b"stealth_rgbcomp": True}
SIGNATURE_BYTES = 15  # bytes
TEXT_LENGTH_BYTES = 4  # bytes
MAX_HIDDEN_TEXT_BYTES = 1 << 20  # bytes, unpacked
LOWEST_BIT_TABLE = [255 * (value & 1) for value in range(256)]


def read_hidden_text(data: bytes) -> str:
    """Read the text hidden in a PNG or WebP file; empty where there is none.

    Raises: what Pillow raises for a broken file.
    """
    with Image.open(io.BytesIO(data), formats=("PNG", "WEBP")) as image:
        if image.mode not in ("RGB", "RGBA"):
            return ""
        if image.mode == "RGBA" and (alpha_text := _read_bands(image, "A", ALPHA_SIGNATURES)):
            return alpha_text
        return _read_bands(image, "RGB", COLOUR_SIGNATURES)


def _read_bands(image: Image.Image, bands: str, signatures: Mapping[bytes, bool]) -> str:
    head = _read_lowest_bits(image, bands, SIGNATURE_BYTES + TEXT_LENGTH_BYTES)
    is_compressed = signatures.get(head[:SIGNATURE_BYTES])
    if is_compressed is None:
        return ""
    count = int.from_bytes(head[SIGNATURE_BYTES:], "big") // 8
    if not 0 < count <= MAX_HIDDEN_TEXT_BYTES:
        return ""
    body = _read_lowest_bits(image, bands, SIGNATURE_BYTES + TEXT_LENGTH_BYTES + count)[
        SIGNATURE_BYTES + TEXT_LENGTH_BYTES :
    ]
    if is_compressed:
        body = zlib.decompressobj(wbits=31).decompress(body, MAX_HIDDEN_TEXT_BYTES)
    return body.decode("utf-8", "replace")


def _read_lowest_bits(image: Image.Image, bands: str, count: int) -> bytes:
    """Read that many bytes from the lowest bits of the first columns; fewer where it is small."""
    width, height = image.size
    columns = min(width, -(-count * 8 // (height * len(bands))))
    part = image.crop((0, 0, columns, height)).transpose(Image.Transpose.TRANSPOSE)
    values = (part.getchannel("A") if bands == "A" else part.convert("RGB")).tobytes()
    line = Image.frombytes("L", (len(values), 1), values)
    return line.point(LOWEST_BIT_TABLE, "1").tobytes()[:count]
