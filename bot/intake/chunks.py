"""PNG files as the chunks they consist of; nothing is decoded here.

Source: https://www.w3.org/TR/png-3/ (Portable Network Graphics, third edition), chapters 5 and 11.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEAD = struct.Struct(">I4s")  # length of the body, kind
CRC = 4  # bytes after the body
HEADER = struct.Struct(">IIBBBBB")  # IHDR: width, height, depth, colour, 3 methods
MAX_CHUNKS = 100_000  # a picture of 32 megapixels written by Pillow has 2,000
OF_PIXELS = frozenset(
    (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf")
)
"""The chunks that say what a picture looks like; the first frame of an animation needs no other."""

MAX_TEXT = 1 << 20  # bytes of one text, unpacked
MAX_TEXTS = 64  # in one file


@dataclass(frozen=True)
class Chunk:
    """One chunk of a file."""

    kind: bytes
    #: Where in the file its length stands.
    start: int
    #: Where in the file its body begins.
    body: int
    #: Where its body ends.
    stop: int

    @property
    def end(self) -> int:
        """Where the next chunk begins."""
        return self.stop + CRC


def chunks(data: bytes) -> Iterator[Chunk]:
    """List the chunks of a PNG up to its IEND, or to where it breaks off.

    Raises:
        ValueError: the file has more chunks than any picture.
    """
    at = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if at + HEAD.size > len(data):
            return
        length, kind = HEAD.unpack_from(data, at)
        chunk = Chunk(kind, at, at + HEAD.size, at + HEAD.size + length)
        yield chunk
        if kind == b"IEND":
            return
        at = chunk.end
    raise ValueError(f"more than {MAX_CHUNKS} chunks")


def pixels_only(data: bytes) -> bytes:
    """Return a PNG without the chunks that say nothing about its first frame's look.

    Raises:
        ValueError: the file has more chunks than any picture.
    """
    parts = [SIGNATURE]
    parts += [data[chunk.start : chunk.end] for chunk in chunks(data) if chunk.kind in OF_PIXELS]
    return b"".join(parts)


def is_animated(data: bytes) -> bool:
    """Whether a PNG says that it moves.

    Raises:
        ValueError: the file has more chunks than any picture.
    """
    return any(chunk.kind == b"acTL" for chunk in chunks(data))


def texts(data: bytes) -> dict[str, str]:
    """Read a PNG's texts by their keywords, each bounded; of two with one keyword the first."""
    found: dict[str, str] = {}
    try:
        for chunk in chunks(data):
            if chunk.kind in READERS and len(found) < MAX_TEXTS:
                body = data[chunk.body : min(chunk.stop, chunk.body + MAX_TEXT)]
                keyword, text = READERS[chunk.kind](body)
                found.setdefault(keyword, text)
    except ValueError:
        return found
    return found


def is_plain(data: bytes, width: int, height: int) -> bool:
    """Whether a file is a PNG of that size, RGB or RGBA of 8 bits, of nothing but pixels."""
    if not data.startswith(SIGNATURE):
        return False
    try:
        found = list(chunks(data))
    except ValueError:
        return False
    kinds = [chunk.kind for chunk in found]
    if len(kinds) < 3 or kinds != [b"IHDR", *[b"IDAT"] * (len(kinds) - 2), b"IEND"]:
        return False
    head, end = found[0], found[-1]
    if head.stop - head.body != HEADER.size or end.end != len(data):
        return False
    *size, depth, colour, packing, filtering, interlace = HEADER.unpack_from(data, head.body)
    ways = (packing, filtering, interlace)
    return size == [width, height] and depth == 8 and colour in (2, 6) and ways == (0, 0, 0)


def _text(body: bytes) -> tuple[str, str]:
    keyword, _, text = body.partition(b"\0")
    return _latin(keyword), _latin(text)


def _packed_text(body: bytes) -> tuple[str, str]:
    keyword, _, rest = body.partition(b"\0")
    return _latin(keyword), _latin(_unpacked(rest[1:]))


def _international_text(body: bytes) -> tuple[str, str]:
    keyword, _, rest = body.partition(b"\0")
    packed, fields = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
    text = fields[2] if len(fields) == 3 else b""
    return _latin(keyword), (_unpacked(text) if packed else text).decode("utf-8", "replace")


READERS = {b"tEXt": _text, b"zTXt": _packed_text, b"iTXt": _international_text}


def _latin(text: bytes) -> str:
    return text.decode("latin-1")


def _unpacked(packed: bytes) -> bytes:
    """Unpack up to a bound: a bomb becomes its first megabyte."""
    try:
        return zlib.decompressobj().decompress(packed, MAX_TEXT)
    except zlib.error:
        return b""
