"""PNG: bombs, lengths and sums that lie, palettes, animations, texts."""

from __future__ import annotations

import random
import struct
import zlib

from PIL import Image

from bot.errors import (
    BrokenImage,
    TooManyPixels,
)
from tests.bot.uploads.hostile.corpus import EITHER, IMAGE, enter
from tests.doubles.images import animation, bomb, chunk, encoded, png

MARK = b"\x89PNG\r\n\x1a\n"
IEND = chunk(b"IEND", b"")


def header(
    width: int = 8, height: int = 8, depth: int = 8, colour: int = 2, interlace: int = 0
) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def rows(width: int = 8, height: int = 8, channels: int = 3) -> bytes:
    """Image data of a black picture."""
    return chunk(b"IDAT", zlib.compress(b"\0" * (height * (1 + width * channels))))


def of_chunks(*parts: bytes) -> bytes:
    return MARK + b"".join(parts)


def with_chunk(kind: bytes, body: bytes) -> bytes:
    """A plain PNG with one more chunk behind its header."""
    plain = png()
    return plain[:33] + chunk(kind, body) + plain[33:]


def bad_sum(part: bytes) -> bytes:
    return part[:-1] + bytes([part[-1] ^ 0xFF])


def packed_zeros(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(megabytes)]
    return b"".join(parts) + packer.flush()


enter("png header of 3,600 megapixels", TooManyPixels, lambda: bomb(60_000, 60_000))
enter("png header of 268 megapixels", TooManyPixels, lambda: bomb(16_384, 16_384))
enter("png of 32 megapixels of nothing", IMAGE, lambda: png((6400, 5000)))
enter("png thread 1 x 65535", TooManyPixels, lambda: bomb(1, 65_535))
enter("png thread 65535 x 1", TooManyPixels, lambda: bomb(65_535, 1))
enter("png of width 0", BrokenImage, lambda: of_chunks(header(0, 8), rows(), IEND))
enter("png of negative width", EITHER, lambda: of_chunks(header(1 << 31, 8), rows(), IEND))
enter("png with zTXt bomb", IMAGE, lambda: with_chunk(b"zTXt", b"a\0\0" + packed_zeros(100)))
enter(
    "png with iTXt bomb",
    IMAGE,
    lambda: with_chunk(b"iTXt", b"parameters\0\1\0\0\0" + packed_zeros(100)),
)
enter("png with iCCP bomb", EITHER, lambda: with_chunk(b"iCCP", b"a\0\0" + packed_zeros(100)))
enter(
    "png whose rows go on for 100 megabytes",
    IMAGE,
    lambda: of_chunks(header(), chunk(b"IDAT", packed_zeros(100)), IEND),
)
enter("png of too few rows", BrokenImage, lambda: bomb(2000, 2000))
enter("png with a bad header sum", BrokenImage, lambda: of_chunks(bad_sum(header()), rows()))
enter("png with a bad data sum", EITHER, lambda: of_chunks(header(), bad_sum(rows()), IEND))
enter(
    "png chunk of 4 gigabytes",
    BrokenImage,
    lambda: of_chunks(header(), b"\xff\xff\xff\xffIDAT", b"x" * 50),
)
enter("png text of 2 gigabytes", BrokenImage, lambda: of_chunks(header(), b"\x7f\0\0\0tEXt"))
enter("png without end", IMAGE, lambda: of_chunks(header(), rows()))
enter("png without rows", BrokenImage, lambda: of_chunks(header(), IEND))
enter("png that ends first", BrokenImage, lambda: of_chunks(IEND, header(), rows()))
enter("png with rows first", EITHER, lambda: of_chunks(rows(), header(), IEND))
enter("png with two headers", EITHER, lambda: of_chunks(header(), header(9000, 9000), rows(), IEND))
enter("png with an unknown chunk", IMAGE, lambda: with_chunk(b"EVIL", b"x" * 1000))
enter("png with a nameless chunk", EITHER, lambda: with_chunk(b"\0\0\0\0", b"x"))
enter("png palette missing", EITHER, lambda: of_chunks(header(colour=3), rows(channels=1), IEND))
enter(
    "png palette too short for its indexes",
    IMAGE,
    lambda: of_chunks(
        header(colour=3),
        chunk(b"PLTE", b"\1\2\3"),
        chunk(b"IDAT", zlib.compress(b"\0\xff\xff\xff\xff\xff\xff\xff\xff" * 8)),
        IEND,
    ),
)
enter(
    "png palette of 9,000 bytes",
    EITHER,
    lambda: of_chunks(header(colour=3), chunk(b"PLTE", b"abc" * 3000), rows(channels=1), IEND),
)
enter(
    "png palette of 4 bytes",
    EITHER,
    lambda: of_chunks(header(colour=3), chunk(b"PLTE", b"abcd"), rows(channels=1), IEND),
)
enter("png transparency too long", EITHER, lambda: with_chunk(b"tRNS", b"\0" * 5000))
enter("png transparency too short", EITHER, lambda: with_chunk(b"tRNS", b"\0"))
enter("png of 3 bits", EITHER, lambda: of_chunks(header(depth=3), rows(), IEND))
enter("png of colour type 5", EITHER, lambda: of_chunks(header(colour=5), rows(), IEND))
enter("png of interlacing 9", EITHER, lambda: of_chunks(header(interlace=9), rows(), IEND))
enter(
    "png interlaced",
    IMAGE,
    lambda: of_chunks(header(1, 1, interlace=1), rows(1, 1), IEND),
)
enter("png interlaced, broken off", BrokenImage, lambda: of_chunks(header(interlace=1), rows(2)))
enter("png of 16 bits", IMAGE, lambda: of_chunks(header(depth=16), rows(channels=6), IEND))
enter("png grey of 16 bits", IMAGE, lambda: encoded(Image.new("I;16", (8, 8), 40_000)))
enter(
    "png grey of 16 bits with transparency",
    IMAGE,
    lambda: of_chunks(
        header(depth=16, colour=0), chunk(b"tRNS", b"\x9c\x40"), rows(channels=2), IEND
    ),
)
enter(
    "png grey with alpha of 16 bits",
    IMAGE,
    lambda: of_chunks(header(depth=16, colour=4), rows(channels=4), IEND),
)
enter("png of 1 bit", IMAGE, lambda: encoded(Image.new("1", (9, 9), 1)))
enter(
    "png of a million empty chunks",
    BrokenImage,
    lambda: of_chunks(header(), chunk(b"IDAT", b"") * 1_000_000, rows(), IEND),
)
enter(
    "png of 90,000 empty chunks",
    IMAGE,
    lambda: of_chunks(header(), chunk(b"teSt", b"") * 90_000, rows(), IEND),
)
enter(
    "png of 60,000 texts",
    IMAGE,
    lambda: of_chunks(header(), chunk(b"tEXt", b"parameters\0x") * 60_000, rows(), IEND),
)
enter("png text of 20 megabytes", IMAGE, lambda: with_chunk(b"tEXt", b"a\0" + b"x" * 20_000_000))
enter("png animation of 500 frames", IMAGE, lambda: animation("PNG", 500))
enter(
    "png animation of 4,000,000,000 frames",
    IMAGE,
    lambda: with_chunk(b"acTL", struct.pack(">II", 4_000_000_000, 0)),
)
enter(
    "png frame outside its picture",
    EITHER,
    lambda: of_chunks(
        header(),
        chunk(b"acTL", struct.pack(">II", 2, 0)),
        chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 9000, 9000, 9000, 9000, 1, 1, 0, 0)),
        rows(),
        IEND,
    ),
)
enter("png with a broken profile", IMAGE, lambda: with_chunk(b"iCCP", b"a\0\0not zlib"))
enter(
    "png with a profile of noise",
    IMAGE,
    lambda: encoded(Image.new("RGB", (8, 8)), icc_profile=random.Random(1).randbytes(9000)),
)
enter("png with a zip behind it", IMAGE, lambda: png() + b"PK\x03\x04" + b"x" * 5000)
enter("png with a page in it", IMAGE, lambda: with_chunk(b"tEXt", b"a\0<script>alert(1)</script>"))
enter("png signature alone", BrokenImage, lambda: MARK)
enter("png signature and noise", BrokenImage, lambda: MARK + random.Random(2).randbytes(5000))
enter("png with gamma 0", IMAGE, lambda: with_chunk(b"gAMA", b"\0\0\0\0"))
enter("png with an empty cHRM", EITHER, lambda: with_chunk(b"cHRM", b""))
