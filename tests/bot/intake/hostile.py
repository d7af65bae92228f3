"""Files that strangers might send to harm a bot, made on the spot; each with what must come of it.

`PICTURE` stands for an answer with pixels, a type of refusal for words. Where decoders of another
release may judge otherwise, either is right (`EITHER`).
"""

from __future__ import annotations

import functools
import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator

from PIL import Image, ImageCms

from bot.errors import (
    BrokenPicture,
    EmptyFile,
    FileTooLarge,
    NotAPicture,
    OtherFormat,
    PictureRefused,
    TooHeavy,
    TooManyPixels,
)
from bot.pictures import PictureLimits
from tests.doubles.pictures import animation, bomb, chunk, encoded, noise, png

LIMITS = PictureLimits(max_bytes=25 << 20, max_pixels=32_000_000)
"""Easel's own defaults."""

PICTURE: type[PictureRefused] | None = None
EITHER = PictureRefused

Expected = type[PictureRefused] | None
CORPUS: dict[str, tuple[Callable[[], bytes], Expected]] = {}
MARK = b"\x89PNG\r\n\x1a\n"
IEND = chunk(b"IEND", b"")


def hostile(name: str, expected: Expected) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    """Enter a file's builder in the corpus."""

    def enter(build: Callable[[], bytes]) -> Callable[[], bytes]:
        assert name not in CORPUS
        CORPUS[name] = (functools.cache(build), expected)
        return build

    return enter


def enter(name: str, expected: Expected, build: Callable[[], bytes]) -> None:
    hostile(name, expected)(build)


# --- PNG ---------------------------------------------------------------------------------------


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
enter("png of 32 megapixels of nothing", PICTURE, lambda: png((6400, 5000)))
enter("png thread 1 x 65535", TooManyPixels, lambda: bomb(1, 65_535))
enter("png thread 65535 x 1", TooManyPixels, lambda: bomb(65_535, 1))
enter("png of width 0", BrokenPicture, lambda: of_chunks(header(0, 8), rows(), IEND))
enter("png of negative width", EITHER, lambda: of_chunks(header(1 << 31, 8), rows(), IEND))
enter("png with zTXt bomb", PICTURE, lambda: with_chunk(b"zTXt", b"a\0\0" + packed_zeros(100)))
enter(
    "png with iTXt bomb",
    PICTURE,
    lambda: with_chunk(b"iTXt", b"parameters\0\1\0\0\0" + packed_zeros(100)),
)
enter("png with iCCP bomb", EITHER, lambda: with_chunk(b"iCCP", b"a\0\0" + packed_zeros(100)))
enter(
    "png whose rows go on for 100 megabytes",
    PICTURE,
    lambda: of_chunks(header(), chunk(b"IDAT", packed_zeros(100)), IEND),
)
enter("png of too few rows", BrokenPicture, lambda: bomb(2000, 2000))
enter("png with a bad header sum", BrokenPicture, lambda: of_chunks(bad_sum(header()), rows()))
enter("png with a bad data sum", EITHER, lambda: of_chunks(header(), bad_sum(rows()), IEND))
enter(
    "png chunk of 4 gigabytes",
    BrokenPicture,
    lambda: of_chunks(header(), b"\xff\xff\xff\xffIDAT", b"x" * 50),
)
enter("png text of 2 gigabytes", BrokenPicture, lambda: of_chunks(header(), b"\x7f\0\0\0tEXt"))
enter("png without end", PICTURE, lambda: of_chunks(header(), rows()))
enter("png without rows", BrokenPicture, lambda: of_chunks(header(), IEND))
enter("png that ends first", BrokenPicture, lambda: of_chunks(IEND, header(), rows()))
enter("png with rows first", EITHER, lambda: of_chunks(rows(), header(), IEND))
enter("png with two headers", EITHER, lambda: of_chunks(header(), header(9000, 9000), rows(), IEND))
enter("png with an unknown chunk", PICTURE, lambda: with_chunk(b"EVIL", b"x" * 1000))
enter("png with a nameless chunk", EITHER, lambda: with_chunk(b"\0\0\0\0", b"x"))
enter("png palette missing", EITHER, lambda: of_chunks(header(colour=3), rows(channels=1), IEND))
enter(
    "png palette too short for its indexes",
    PICTURE,
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
    PICTURE,
    lambda: of_chunks(header(1, 1, interlace=1), rows(1, 1), IEND),
)
enter("png interlaced, broken off", BrokenPicture, lambda: of_chunks(header(interlace=1), rows(2)))
enter("png of 16 bits", PICTURE, lambda: of_chunks(header(depth=16), rows(channels=6), IEND))
enter("png grey of 16 bits", PICTURE, lambda: encoded(Image.new("I;16", (8, 8), 40_000)))
enter(
    "png grey of 16 bits with transparency",
    PICTURE,
    lambda: of_chunks(
        header(depth=16, colour=0), chunk(b"tRNS", b"\x9c\x40"), rows(channels=2), IEND
    ),
)
enter(
    "png grey with alpha of 16 bits",
    PICTURE,
    lambda: of_chunks(header(depth=16, colour=4), rows(channels=4), IEND),
)
enter("png of 1 bit", PICTURE, lambda: encoded(Image.new("1", (9, 9), 1)))
enter(
    "png of a million empty chunks",
    BrokenPicture,
    lambda: of_chunks(header(), chunk(b"IDAT", b"") * 1_000_000, rows(), IEND),
)
enter(
    "png of 90,000 empty chunks",
    PICTURE,
    lambda: of_chunks(header(), chunk(b"teSt", b"") * 90_000, rows(), IEND),
)
enter(
    "png of 60,000 texts",
    PICTURE,
    lambda: of_chunks(header(), chunk(b"tEXt", b"parameters\0x") * 60_000, rows(), IEND),
)
enter("png text of 20 megabytes", PICTURE, lambda: with_chunk(b"tEXt", b"a\0" + b"x" * 20_000_000))
enter("png animation of 500 frames", PICTURE, lambda: animation("PNG", 500))
enter(
    "png animation of 4,000,000,000 frames",
    PICTURE,
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
enter("png with a broken profile", PICTURE, lambda: with_chunk(b"iCCP", b"a\0\0not zlib"))
enter(
    "png with a profile of noise",
    PICTURE,
    lambda: encoded(Image.new("RGB", (8, 8)), icc_profile=random.Random(1).randbytes(9000)),
)
enter("png with a zip behind it", PICTURE, lambda: png() + b"PK\x03\x04" + b"x" * 5000)
enter(
    "png with a page in it", PICTURE, lambda: with_chunk(b"tEXt", b"a\0<script>alert(1)</script>")
)
enter("png signature alone", BrokenPicture, lambda: MARK)
enter("png signature and noise", BrokenPicture, lambda: MARK + random.Random(2).randbytes(5000))
enter("png with gamma 0", PICTURE, lambda: with_chunk(b"gAMA", b"\0\0\0\0"))
enter("png with an empty cHRM", EITHER, lambda: with_chunk(b"cHRM", b""))


# --- EXIF --------------------------------------------------------------------------------------


def tiff(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    """A TIFF block with one directory of (tag, type, count, value or offset)."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (
        b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + struct.pack("<I", following)
    )


def with_exif(block: bytes, form: str = "JPEG") -> bytes:
    return encoded(Image.new("RGB", (16, 8), "red"), form, exif=b"Exif\0\0" + block)


ORIENTATION, EXIF_IFD, GPS_IFD, MAKER = 0x0112, 0x8769, 0x8825, 0x927C
EXIFS: dict[str, Callable[[], bytes]] = {
    "whose directory follows itself": lambda: tiff((ORIENTATION, 3, 1, 6), following=8),
    "whose part is the whole": lambda: tiff((EXIF_IFD, 4, 1, 8), (GPS_IFD, 4, 1, 8)),
    "of 4,000,000,000 values": lambda: tiff((ORIENTATION, 3, 4_000_000_000, 8)),
    "of 65,535 entries": lambda: b"II*\0\x08\0\0\0\xff\xff" + b"\0" * 60_000,
    "whose values lie outside": lambda: tiff((MAKER, 7, 1000, 0xFFFFFF00)),
    "of an unknown type": lambda: tiff((ORIENTATION, 99, 1, 6)),
    "turned by 9": lambda: tiff((ORIENTATION, 3, 1, 9)),
    "turned by a word": lambda: tiff((ORIENTATION, 2, 4, 0x00393939)),
    "divided by zero": lambda: tiff((ORIENTATION, 5, 1, 8)),
    "cut off": lambda: tiff((ORIENTATION, 3, 1, 6))[:11],
    "of noise": lambda: random.Random(3).randbytes(60_000),
    "of nothing": lambda: b"",
}
for words, block in EXIFS.items():
    for form in ("JPEG", "PNG", "WEBP"):
        enter(
            f"{form.lower()} with exif {words}",
            PICTURE,
            functools.partial(lambda b, f: with_exif(b(), f), block, form),
        )


# --- JPEG --------------------------------------------------------------------------------------


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


enter("jpeg of cmyk", PICTURE, lambda: encoded(Image.new("CMYK", (9, 9), (9, 99, 200, 3)), "JPEG"))
enter("jpeg progressive", PICTURE, lambda: photo(progressive=True))
enter("jpeg header of 4,295 megapixels", TooManyPixels, lambda: sized(65_535, 65_535))
enter("jpeg thread 1 x 65535", TooManyPixels, lambda: sized(1, 65_535))
enter("jpeg of height 0", BrokenPicture, lambda: sized(64, 0))
enter("jpeg larger than its data", EITHER, lambda: sized(5000, 5000))
enter("jpeg of 2,000 scans", TooHeavy, lambda: scans(2000, (3000, 3000)))
enter("jpeg of 50 scans of 30 megapixels", TooHeavy, lambda: scans(50, (6000, 5000)))
enter("jpeg of 300,000 scans of nothing", TooHeavy, lambda: scans(300_000, (8, 8)))
enter("jpeg of 100 scans", PICTURE, lambda: scans(100, (64, 64)))
enter("jpeg without tables", EITHER, lambda: photo().replace(b"\xff\xdb", b"\xff\xef"))
enter("jpeg without codes", EITHER, lambda: photo().replace(b"\xff\xc4", b"\xff\xef"))
enter(
    "jpeg of 12 bits", EITHER, lambda: photo().replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c")
)
enter("jpeg lossless", EITHER, lambda: photo().replace(b"\xff\xc0", b"\xff\xc3"))
enter("jpeg arithmetic", EITHER, lambda: photo().replace(b"\xff\xc0", b"\xff\xc9"))
enter("jpeg of 255 channels", EITHER, lambda: photo().replace(b"\x03\x01\x22", b"\xff\x01\x22", 1))
enter("jpeg segment of length 0", EITHER, lambda: with_segments(b"\xff\xe1\0\0"))
enter("jpeg segment past its end", BrokenPicture, lambda: photo()[:2] + b"\xff\xe1\xff\xffx")
enter(
    "jpeg of 20 megabytes of comments",
    PICTURE,
    lambda: with_segments(*[segment(0xFE, b"x" * 65_000)] * 300),
)
enter(
    "jpeg of 300 exifs",
    PICTURE,
    lambda: with_segments(*[segment(0xE1, b"Exif\0\0" + b"x" * 65_000)] * 300),
)
enter("jpeg of 100,000 segments", EITHER, lambda: with_segments(*[segment(0xE5, b"")] * 100_000))
enter(
    "jpeg of a profile in wrong parts",
    PICTURE,
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
    PICTURE,
    lambda: with_segments(segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\xff" + b"\xff" * 60)),
)
enter("jpeg of 5,000 fill bytes", EITHER, lambda: photo()[:2] + b"\xff" * 5000 + photo()[3:])
enter("jpeg with a zip behind it", PICTURE, lambda: photo() + b"PK\x03\x04" + b"x" * 5000)
enter("jpeg with a page in it", PICTURE, lambda: with_segments(segment(0xFE, b"<html><script>")))
enter("jpeg of three bytes", BrokenPicture, lambda: b"\xff\xd8\xff")
enter("jpeg of markers only", BrokenPicture, lambda: b"\xff\xd8\xff" * 300_000)
enter(
    "jpeg xmp of 60,000 brackets",
    PICTURE,
    lambda: with_segments(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<" * 60_000)),
)


# --- GIF ---------------------------------------------------------------------------------------

CANVAS = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
FRAME = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\0"
COMMENT = b"\x21\xfe"


def canvas(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + CANVAS[10:]


enter("gif of 500 frames", PICTURE, lambda: animation("GIF", 500))
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
enter("gif of no frame", BrokenPicture, lambda: CANVAS + b";")
enter("gif of codes of 12 bits", EITHER, lambda: CANVAS + FRAME[:10] + b"\x0c\x02\x4c\x01\0;")
enter("gif of codes of 255 bits", EITHER, lambda: CANVAS + FRAME[:10] + b"\xff\x02\x4c\x01\0;")
enter("gif of bad codes", EITHER, lambda: CANVAS + FRAME[:10] + b"\x02\x08" + b"\xff" * 8 + b"\0;")
enter(
    "gif comment of 20 megabytes",
    PICTURE,
    lambda: CANVAS + COMMENT + (b"\xff" + b"x" * 255) * 80_000 + b"\0" + FRAME + b";",
)
enter(
    "gif of 20 megabytes after its frame",
    PICTURE,
    lambda: CANVAS + FRAME + COMMENT + (b"\xff" + b"x" * 255) * 80_000 + b"\0;",
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
enter("gif with a page behind it", PICTURE, lambda: CANVAS + FRAME + b";<html><script>")
enter("gif that is also a script", EITHER, lambda: b"GIF89a/*" + b"\0" * 8 + b"*/=1;alert(1)")


# --- WebP --------------------------------------------------------------------------------------


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


enter("webp of 500 frames", PICTURE, lambda: animation("WEBP", 500))
enter(
    "webp of 16 megapixels of nothing",
    PICTURE,
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
    PICTURE,
    lambda: webp(icc_profile=random.Random(5).randbytes(9000)),
)
enter("webp exif of 10 megabytes", PICTURE, lambda: webp(exif=b"Exif\0\0" + b"x" * 10_000_000))
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
enter("webp signature alone", BrokenPicture, lambda: b"RIFF\0\0\0\0WEBP")
enter("webp with a zip behind it", PICTURE, lambda: webp() + b"PK\x03\x04" + b"x" * 5000)


# --- AVIF --------------------------------------------------------------------------------------


@functools.cache
def avif() -> bytes:
    return encoded(Image.new("RGB", (64, 64), "red"), "AVIF", speed=10)


def of_extent(width: int, height: int) -> bytes:
    at = avif().find(b"ispe") + 8
    return avif()[:at] + struct.pack(">II", width, height) + avif()[at + 8 :]


enter("avif", PICTURE, avif)
enter("avif animation", PICTURE, lambda: animation("AVIF", 5))
enter(
    "avif of 16 megapixels of nothing",
    PICTURE,
    lambda: encoded(Image.new("RGB", (4096, 4096)), "AVIF", speed=10),
)
enter("avif extent of 4,295 megapixels", EITHER, lambda: of_extent(65_535, 65_535))
enter("avif extent unlike its picture", EITHER, lambda: of_extent(4000, 4000))
enter("avif of size 0", EITHER, lambda: of_extent(0, 0))
enter("avif of its type alone", BrokenPicture, lambda: avif()[:32])
enter("avif of noise", EITHER, lambda: avif()[:-100] + random.Random(8).randbytes(100))
enter("avif boxes within boxes", EITHER, lambda: avif()[:32] + b"\0\0\xff\xffmeta\0\0\0\0" * 5000)
enter("avif box of length 0", EITHER, lambda: avif()[:32] + b"\0\0\0\0meta" + avif()[40:])


# --- what only looks like a picture, or is one of another kind -----------------------------------

SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 500

enter("no bytes", EmptyFile, lambda: b"")
enter("one byte", NotAPicture, lambda: b"\x89")
enter("25 megabytes of zeros", NotAPicture, lambda: bytes(25 << 20))
enter("one byte too many", FileTooLarge, lambda: bytes((25 << 20) + 1))
enter("noise", NotAPicture, lambda: random.Random(9).randbytes(1 << 20))
enter("words", NotAPicture, lambda: b"just words")
enter("an svg drawing", OtherFormat, lambda: SVG)
enter("a bare svg drawing", OtherFormat, lambda: SVG.partition(b"\n")[2])
enter("a pdf", NotAPicture, lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3")
enter("a zip", NotAPicture, lambda: b"PK\x03\x04" + b"\0" * 60)
enter("a page", NotAPicture, lambda: b"<!DOCTYPE html><html><img src=x onerror=alert(1)>")
enter("a program", NotAPicture, lambda: b"\x7fELF\x02\x01\x01" + b"\0" * 500)
enter("a film", NotAPicture, lambda: b"\0\0\0\x20ftypisom\0\0\2\0" + b"\0" * 500)
enter("a heic photo", OtherFormat, lambda: HEIC)
enter("a bitmap", OtherFormat, lambda: encoded(Image.new("RGB", (4, 4)), "BMP"))
enter("a tiff that follows itself", OtherFormat, lambda: tiff((256, 3, 1, 8), following=8))
enter("a photoshop file", OtherFormat, lambda: b"8BPS\0\x01" + b"\0" * 60)
enter("a jpeg 2000", OtherFormat, lambda: encoded(Image.new("RGB", (8, 8)), "JPEG2000"))
enter("a jpeg xl", OtherFormat, lambda: b"\xff\x0a" + b"\0" * 60)
enter(
    "a postscript program",
    NotAPicture,
    lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
)
enter("an icon", NotAPicture, lambda: encoded(Image.new("RGB", (16, 16)), "ICO"))
enter("a gzipped fits", NotAPicture, lambda: zlib.compress(b"SIMPLE  = T", wbits=31))
enter("a pickle", NotAPicture, lambda: b"\x80\x04\x95\x1a\0\0\0\0\0\0\0\x8c\x05posix\x94")


def cut_off() -> Iterator[tuple[str, bytes]]:
    """Every format broken off in and around each of its parts."""
    whole = {
        "png": encoded(noise((24, 24))),
        "interlaced png": of_chunks(header(24, 24, interlace=1), rows(24, 24), IEND),
        "jpeg": encoded(noise((24, 24)), "JPEG", exif=Image.Exif().tobytes()),
        "progressive jpeg": encoded(noise((24, 24)), "JPEG", progressive=True),
        "gif": encoded(noise((24, 24)).quantize(16), "GIF"),
        "webp": encoded(noise((24, 24)), "WEBP"),
        "lossless webp": encoded(noise((24, 24)), "WEBP", lossless=True),
        "avif": encoded(noise((24, 24)), "AVIF", speed=10),
    }
    for form, data in whole.items():
        parts = {1, 2, 3, 4, 7, 8, 9, 12, 16, 20, 24, 29, 33, 37, 41, 64, 128, 256}
        parts |= {len(data) - back for back in (1, 2, 4, 8, 12, 13, 16, 64)}
        parts |= {len(data) * share // 10 for share in range(1, 10)}
        for length in sorted(part for part in parts if 0 < part < len(data)):
            yield f"{form} after {length} bytes", data[:length]


def profiled(kind: str) -> bytes:
    """A real profile of a colour space."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(kind)).tobytes()


def pixels(data: bytes) -> Image.Image:
    """Decode a checked picture."""
    picture = Image.open(io.BytesIO(data), formats=("PNG",))
    picture.load()
    return picture
