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

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from bot.errors import (
    BrokenPicture,
    EmptyFile,
    FileTooLarge,
    NotAPicture,
    PictureRefused,
    TooManyPixels,
)

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MAX_SIDE = 16384  # pixels; beyond it libraries down the line overflow or crawl
FAST_COMPRESSION = 1  # of 0 to 9: inputs are kept for a while, not for ever
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    MemoryError,
    AssertionError,
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
    if not data:
        raise EmptyFile(name)
    if len(data) > limits.max_bytes:
        raise FileTooLarge(name, len(data), limits.max_bytes)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            _check_size(opened, name, limits)
            picture, notes = _normalise(opened)
            return _encode(picture, notes)
    except PictureRefused:
        raise
    except UnidentifiedImageError:
        raise _unknown(data, name) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooManyPixels(name, "far larger than its file", _megapixels(limits)) from None
    except BROKEN as error:
        raise BrokenPicture(name) from error


def _check_size(picture: Image.Image, name: str, limits: PictureLimits) -> None:
    """Bound the picture by its header; nothing is decoded yet."""
    width, height = picture.size
    found = f"{width} × {height} pixels"
    if max(width, height) > MAX_SIDE:
        raise TooManyPixels(name, found, f"{MAX_SIDE} pixels a side")
    if width * height > limits.max_pixels:
        raise TooManyPixels(name, found, _megapixels(limits))
    if not width or not height:
        raise BrokenPicture(name)


def _megapixels(limits: PictureLimits) -> str:
    return f"{limits.max_pixels / 1e6:.3g} megapixels"


def _normalise(opened: Image.Image) -> tuple[Image.Image, list[str]]:
    """Return the first frame upright, in sRGB, as RGB or RGBA, and what was done to it."""
    notes = []
    if getattr(opened, "is_animated", False):
        notes.append(f"Only the first of its {getattr(opened, 'n_frames', 0)} frames is used.")
        opened.seek(0)
    opened.load()
    profile = opened.info.get("icc_profile")
    has_alpha = opened.has_transparency_data
    picture = ImageOps.exif_transpose(opened)
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        picture = _from_deep_grey(picture)
    if profile:
        picture = _to_srgb(picture, profile, has_alpha=has_alpha)
    wanted = "RGBA" if has_alpha else "RGB"
    return (picture if picture.mode == wanted else picture.convert(wanted)), notes


def _from_deep_grey(picture: Image.Image) -> Image.Image:
    """Bring grey of 16 bits down to 8; Pillow's own conversion would cut off instead of scale."""
    return picture.convert("I").point(lambda value: value * (255 / 65535)).convert("L")


def _to_srgb(picture: Image.Image, profile: Any, *, has_alpha: bool) -> Image.Image:
    """Convert the colours from an embedded profile to sRGB; a broken profile is ignored."""
    alpha = picture.convert("RGBA").getchannel("A") if has_alpha else None
    plain = picture if picture.mode in ("RGB", "CMYK", "L") else picture.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(plain, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture
    if converted is None:
        return picture
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _encode(picture: Image.Image, notes: list[str]) -> CheckedPicture:
    fresh = Image.new(picture.mode, picture.size)
    fresh.paste(picture)
    out = io.BytesIO()
    fresh.save(out, "PNG", compress_level=FAST_COMPRESSION)
    return CheckedPicture(
        data=out.getvalue(), width=fresh.width, height=fresh.height, notes=tuple(notes)
    )


SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8")


def _unknown(data: bytes, name: str) -> PictureRefused:
    """Tell a picture that breaks off in its header from a file that never was one."""
    riff = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    if riff or data.startswith(SIGNATURES):
        return BrokenPicture(name)
    return NotAPicture(name)
