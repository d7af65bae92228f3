"""Check a picture that a stranger sent and make a plain PNG of its pixels.

Pillow's advice for files from strangers is followed: few formats, bounds read from the header
before any pixel is decoded, nothing passed on but newly encoded pixels. What a picture carried
besides (EXIF with its places, ICC, comments) ends here.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageCms, UnidentifiedImageError

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
from bot.intake import chunks, segments
from bot.intake.chunks import SIGNATURE
from bot.sentences import english

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")
COPIES = {"WEBP": 1.9, "AVIF": 1.4}
"""How much more memory than a PNG's a format's own decoder takes; it bounds the pixels."""

SCANS = 30  # of a progressive JPEG of the most pixels; smaller ones may have more
MAX_SIDE = 16384  # pixels; beyond it libraries down the line overflow or crawl
FAST_COMPRESSION = 1  # of 0 to 9: inputs are kept for a while, not for ever
FIRST_FRAME = english("Only the first frame of the animation is used.")
ORIENTATION = 0x0112  # EXIF tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture of each EXIF orientation upright."""

BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    AssertionError,
    RuntimeError,  # AVIF's decoder, of what it has not implemented
    struct.error,
    zlib.error,
)
"""What Pillow's decoders are known to raise on files that break off or lie about themselves."""


@dataclass(frozen=True, kw_only=True)
class PictureLimits:
    """What one attachment may be."""

    max_bytes: int
    max_pixels: int


@dataclass(frozen=True, kw_only=True)
class CheckedPicture:
    """A picture that can be worked on."""

    #: A PNG, RGB or RGBA with 8 bits a channel, in sRGB, upright, without metadata.
    data: bytes
    #: In pixels, as the PNG is.
    width: int
    #: In pixels, as the PNG is.
    height: int
    #: What was done to it that its sender should know, as sentences.
    notes: tuple[str, ...] = ()


def check_picture(data: bytes, name: str, limits: PictureLimits) -> CheckedPicture:
    """Check a picture's bytes and re-encode its pixels.

    Raises:
        PictureRefused: says what is wrong with it and what to change.
    """
    check_bytes(data, name, limits)
    try:
        with Image.open(io.BytesIO(pixels_only(data)), formats=FORMATS) as opened:
            _check_size(opened, name, limits)
            if opened.format == "JPEG":
                _check_scans(data, opened, name, limits)
            notes = (FIRST_FRAME,) if _moves(data, opened) else ()
            return _encode(_normalise(opened), notes)
    except PictureRefused:
        raise
    except UnidentifiedImageError:
        raise _unknown(data, name) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooManyPixels(
            name, english("far larger than its file"), _megapixels(limits)
        ) from None
    except MemoryError:
        raise TooHeavy(name) from None
    except BROKEN as error:
        raise BrokenPicture(name) from error


def pixels_only(data: bytes) -> bytes:
    """Return a file without what says nothing about its first frame's look, where that is known.

    Raises:
        ValueError: it has more parts than any picture.
    """
    if data.startswith(SIGNATURE):
        return chunks.pixels_only(data)
    return segments.pixels_only(data) if data.startswith(segments.START) else data


def check_bytes(data: bytes, name: str, limits: PictureLimits) -> None:
    """Bound a file before anything of it is read.

    Raises:
        PictureRefused: it is empty or too large.
    """
    if not data:
        raise EmptyFile(name)
    if len(data) > limits.max_bytes:
        raise FileTooLarge(name, len(data), limits.max_bytes)


def _check_size(picture: Image.Image, name: str, limits: PictureLimits) -> None:
    """Bound the picture by its header; nothing is decoded yet."""
    width, height = picture.size
    found = f"{width} × {height} pixels"
    copies = COPIES.get(picture.format or "", 1)
    if max(width, height) > MAX_SIDE:
        raise TooManyPixels(name, found, f"{MAX_SIDE} pixels a side")
    if width * height * copies > limits.max_pixels:
        of = f" of a {picture.format}" if copies > 1 else ""
        raise TooManyPixels(name, found, _megapixels(limits, copies) + of)
    if not width or not height:
        raise BrokenPicture(name)


def _check_scans(data: bytes, picture: Image.Image, name: str, limits: PictureLimits) -> None:
    """Bound how often the data paints the picture: each time takes as long as a picture's first."""
    count = segments.scans(data)
    painted = count * picture.width * picture.height
    if count > segments.MAX_SCANS or painted > SCANS * limits.max_pixels:
        raise TooHeavy(name)


def _megapixels(limits: PictureLimits, copies: float = 1) -> str:
    return f"{limits.max_pixels / copies / 1e6:.3g} megapixels"


def _moves(data: bytes, picture: Image.Image) -> bool:
    if picture.format == "PNG":
        return chunks.is_animated(data)  # what Pillow saw of it has one frame left
    return bool(getattr(picture, "is_animated", False))


def _normalise(opened: Image.Image) -> Image.Image:
    """Return the first frame upright, in sRGB, as RGB or RGBA.

    No more than two copies of the pixels exist at any time.
    """
    opened.load()
    if hasattr(opened, "_decoder"):
        opened._decoder = None  # WebP's and AVIF's would keep two more copies
    picture = _upright(opened)
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        picture = _from_deep_grey(picture)
    wanted = "RGBA" if picture.has_transparency_data else "RGB"
    if profile := picture.info.get("icc_profile"):
        picture = _to_srgb(picture, profile, wanted)
    return picture if picture.mode == wanted else picture.convert(wanted)


def _upright(opened: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF says; EXIF that makes no sense turns nothing."""
    try:
        turn = TURNS.get(opened.getexif().get(ORIENTATION, 0))
    except BROKEN:
        turn = None
    if turn is None:
        return opened
    turned = opened.transpose(turn)
    opened.close()
    return turned


def _from_deep_grey(picture: Image.Image) -> Image.Image:
    """Bring grey of 16 bits down to 8; Pillow's own conversion would cut off instead of scale."""
    scaled = [(value * 255 + 32767) // 65535 for value in range(65536)]
    grey = picture.convert("I").point(scaled, "L")
    if isinstance(clear := picture.info.get("transparency"), int):
        grey.info["transparency"] = scaled[min(clear, 65535)]
    return grey


def _to_srgb(picture: Image.Image, profile: Any, wanted: str) -> Image.Image:
    """Convert the colours from an embedded profile to sRGB; a broken profile is ignored."""
    direct = picture.mode in ("CMYK", "L") and wanted == "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        if direct:
            return ImageCms.profileToProfile(picture, source, target, outputMode="RGB") or picture
        if picture.mode != wanted:
            picture = picture.convert(wanted)
        ImageCms.profileToProfile(picture, source, target, inPlace=True)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture
    return picture


def _encode(picture: Image.Image, notes: tuple[str, ...]) -> CheckedPicture:
    picture.info = {}  # what else the file carried ends here
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=FAST_COMPRESSION)
    return CheckedPicture(
        data=out.getvalue(), width=picture.width, height=picture.height, notes=notes
    )


STARTS = (SIGNATURE, b"\xff\xd8\xff", b"GIF8")
OTHERS = (
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"8BPS", english("a Photoshop file")),
    (b"\xff\x0a", english("a JPEG XL")),
    (b"\0\0\0\x0cJXL ", english("a JPEG XL")),
    (b"\0\0\0\x0cjP  ", english("a JPEG 2000")),
    (b"<svg", english("an SVG drawing")),
)
"""How pictures in formats that are not read begin, with their names."""

PLAIN = (
    (b"%PDF", english("a PDF document")),
    (b"PK\x03\x04", english("a ZIP archive")),
    (b"<!doctype html", english("a web page")),
    (b"<html", english("a web page")),
    (b"\x1aE\xdf\xa3", english("a video")),
)
"""How other files that are taken for pictures begin."""

BRANDS = {
    b"heic": english("a HEIC photo"),
    b"heix": english("a HEIC photo"),
    b"mif1": english("a HEIC photo"),
}


def _unknown(data: bytes, name: str) -> PictureRefused:
    """Tell a picture that breaks off in its header from a file that never was one."""
    start = data[:256].lstrip().lower()
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if (data[:4] == b"RIFF" and data[8:12] == b"WEBP") or data.startswith(STARTS):
        return BrokenPicture(name)
    if brand == b"avif":
        return BrokenPicture(name)
    if brand:
        known = BRANDS.get(brand)
        return OtherFormat(name, known) if known else NotAPicture(name, english("a video"))
    for begin, found in OTHERS:
        if data.startswith(begin) or start.startswith(begin):
            return OtherFormat(name, found)
    if b"<svg" in start:
        return OtherFormat(name, english("an SVG drawing"))
    found = next((words for begin, words in PLAIN if start.startswith(begin.lower())), "")
    return NotAPicture(name, found)
