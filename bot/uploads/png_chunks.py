"""PNG files as the chunks they consist of; nothing is decoded here.

Source: https://www.w3.org/TR/png-3/ (Portable Network Graphics, third edition), chapters 5 and 11.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHUNK_HEADER = struct.Struct(">I4s")  # length of the body, kind
CRC_BYTES = 4  # bytes after the body
IHDR_LAYOUT = struct.Struct(">IIBBBBB")  # IHDR: width, height, depth, colour, 3 methods
PNG_HEADER_BYTES = 24  # bytes at a file's beginning that hold its signature, width and height
MAX_CHUNKS = 100_000  # a picture of 32 megapixels written by Pillow has 2,000
PIXEL_CHUNKS = frozenset(
    (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf")
)
"""The chunks that say what a picture looks like; the first frame of an animation needs no other."""

MAX_TEXT_BYTES = 1 << 20  # bytes of one text, unpacked
MAX_TEXTS = 64  # in one file


@dataclass(frozen=True)
class PngChunk:
    """One chunk of a file."""

    kind: bytes
    #: Where in the file its length stands.
    start: int
    #: Where in the file its body begins.
    body: int
    #: Where its body ends.
    stop: int

    @property
    def end_offset(self) -> int:
        """Where the next chunk begins."""
        return self.stop + CRC_BYTES


def png_size(header: bytes) -> tuple[int, int] | None:
    """Read width and height from the first bytes of a PNG; None for anything else."""
    if len(header) < PNG_HEADER_BYTES or not header.startswith(PNG_SIGNATURE):
        return None
    width, height = struct.unpack_from(">II", header, PNG_HEADER_BYTES - 8)
    return (width, height) if width and height else None


def iter_chunks(data: bytes) -> Iterator[PngChunk]:
    """List the chunks of a PNG up to its IEND, or to where it breaks off.

    Raises:
        ValueError: the file has more chunks than any picture.
    """
    offset = len(PNG_SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if offset + CHUNK_HEADER.size > len(data):
            return
        length, kind = CHUNK_HEADER.unpack_from(data, offset)
        chunk = PngChunk(
            kind, offset, offset + CHUNK_HEADER.size, offset + CHUNK_HEADER.size + length
        )
        yield chunk
        if kind == b"IEND":
            return
        offset = chunk.end_offset
    raise ValueError(f"more than {MAX_CHUNKS} chunks")


def strip_png_metadata(data: bytes) -> bytes:
    """Return a PNG without the chunks that say nothing about its first frame's look.

    Raises:
        ValueError: the file has more chunks than any picture.
    """
    parts = [PNG_SIGNATURE]
    parts += [
        data[chunk.start : chunk.end_offset]
        for chunk in iter_chunks(data)
        if chunk.kind in PIXEL_CHUNKS
    ]
    return b"".join(parts)


def is_animated(data: bytes) -> bool:
    """Whether a PNG says that it moves.

    Raises:
        ValueError: the file has more chunks than any picture.
    """
    return any(chunk.kind == b"acTL" for chunk in iter_chunks(data))


def read_png_texts(data: bytes) -> dict[str, str]:
    """Read a PNG's texts by their keywords, each bounded; of two with one keyword the first."""
    texts_by_keyword: dict[str, str] = {}
    try:
        for chunk in iter_chunks(data):
            if chunk.kind in TEXT_CHUNK_READERS and len(texts_by_keyword) < MAX_TEXTS:
                body = data[chunk.body : min(chunk.stop, chunk.body + MAX_TEXT_BYTES)]
                keyword, text = TEXT_CHUNK_READERS[chunk.kind](body)
                texts_by_keyword.setdefault(keyword, text)
    except ValueError:
        return texts_by_keyword
    return texts_by_keyword


def is_plain_png(data: bytes, width: int, height: int) -> bool:
    """Whether a file is a PNG of that size, RGB or RGBA of 8 bits, of nothing but pixels."""
    if not data.startswith(PNG_SIGNATURE):
        return False
    try:
        png_chunks = list(iter_chunks(data))
    except ValueError:
        return False
    kinds = [chunk.kind for chunk in png_chunks]
    if len(kinds) < 3 or kinds != [b"IHDR", *[b"IDAT"] * (len(kinds) - 2), b"IEND"]:
        return False
    head, end = png_chunks[0], png_chunks[-1]
    if head.stop - head.body != IHDR_LAYOUT.size or end.end_offset != len(data):
        return False
    *size, depth, colour, packing, filtering, interlace = IHDR_LAYOUT.unpack_from(data, head.body)
    ways = (packing, filtering, interlace)
    return size == [width, height] and depth == 8 and colour in (2, 6) and ways == (0, 0, 0)


def _read_text(body: bytes) -> tuple[str, str]:
    keyword, _, text = body.partition(b"\0")
    return _decode_latin1(keyword), decode_text(text)


def _read_compressed_text(body: bytes) -> tuple[str, str]:
    keyword, _, text_data = body.partition(b"\0")
    return _decode_latin1(keyword), decode_text(_decompress_bounded(text_data[1:]))


def _read_international_text(body: bytes) -> tuple[str, str]:
    keyword, _, body_fields = body.partition(b"\0")
    is_compressed, fields = body_fields[:1] == b"\1", body_fields[2:].split(b"\0", 2)
    text = fields[2] if len(fields) == 3 else b""
    return _decode_latin1(keyword), (_decompress_bounded(text) if is_compressed else text).decode(
        "utf-8", "replace"
    )


TEXT_CHUNK_READERS = {
    b"tEXt": _read_text,
    b"zTXt": _read_compressed_text,
    b"iTXt": _read_international_text,
}


def decode_text(text: bytes) -> str:
    """Decode a text that ought to be Latin-1: as UTF-8 where it can be, for many programs write it.

    A text that was cut off within a sign is read up to there.
    """
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        whole_text = text[: error.start]
        if error.reason == "unexpected end of data" and not whole_text.isascii():
            return whole_text.decode("utf-8")
        return _decode_latin1(text)


def _decode_latin1(text: bytes) -> str:
    return text.decode("latin-1")


def _decompress_bounded(compressed_text: bytes) -> bytes:
    """Unpack up to a bound: a bomb becomes its first megabyte."""
    try:
        return zlib.decompressobj().decompress(compressed_text, MAX_TEXT_BYTES)
    except zlib.error:
        return b""
