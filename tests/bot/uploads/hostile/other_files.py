"""What only looks like a picture, or is one of a format that is not read."""

from __future__ import annotations

import random
import zlib

from PIL import Image

from bot.errors import (
    EmptyFile,
    FileTooLarge,
    NotAnImage,
    UnsupportedFormat,
)
from tests.bot.uploads.hostile.corpus import enter
from tests.bot.uploads.hostile.exif_blocks import tiff
from tests.doubles.images import encoded

SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 500

enter("no bytes", EmptyFile, lambda: b"")
enter("one byte", NotAnImage, lambda: b"\x89")
enter("25 megabytes of zeros", NotAnImage, lambda: bytes(25 << 20))
enter("one byte too many", FileTooLarge, lambda: bytes((25 << 20) + 1))
enter("noise", NotAnImage, lambda: random.Random(9).randbytes(1 << 20))
enter("words", NotAnImage, lambda: b"just words")
enter("an svg drawing", UnsupportedFormat, lambda: SVG)
enter("a bare svg drawing", UnsupportedFormat, lambda: SVG.partition(b"\n")[2])
enter("a pdf", NotAnImage, lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3")
enter("a zip", NotAnImage, lambda: b"PK\x03\x04" + b"\0" * 60)
enter("a page", NotAnImage, lambda: b"<!DOCTYPE html><html><img src=x onerror=alert(1)>")
enter("a program", NotAnImage, lambda: b"\x7fELF\x02\x01\x01" + b"\0" * 500)
enter("a film", NotAnImage, lambda: b"\0\0\0\x20ftypisom\0\0\2\0" + b"\0" * 500)
enter("a heic photo", UnsupportedFormat, lambda: HEIC)
enter("a bitmap", UnsupportedFormat, lambda: encoded(Image.new("RGB", (4, 4)), "BMP"))
enter("a tiff that follows itself", UnsupportedFormat, lambda: tiff((256, 3, 1, 8), following=8))
enter("a photoshop file", UnsupportedFormat, lambda: b"8BPS\0\x01" + b"\0" * 60)
enter("a jpeg 2000", UnsupportedFormat, lambda: encoded(Image.new("RGB", (8, 8)), "JPEG2000"))
enter("a jpeg xl", UnsupportedFormat, lambda: b"\xff\x0a" + b"\0" * 60)
enter(
    "a postscript program",
    NotAnImage,
    lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
)
enter("an icon", NotAnImage, lambda: encoded(Image.new("RGB", (16, 16)), "ICO"))
enter("a gzipped fits", NotAnImage, lambda: zlib.compress(b"SIMPLE  = T", wbits=31))
enter("a pickle", NotAnImage, lambda: b"\x80\x04\x95\x1a\0\0\0\0\0\0\0\x8c\x05posix\x94")
