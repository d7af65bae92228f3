"""Check a picture that a stranger sent and make a plain file of its pixels.

Pillow's advice for files from strangers is followed: few formats, bounds read from the header
before any pixel is decoded, nothing passed on but newly encoded pixels. What a picture carried
besides (EXIF with its places, ICC, comments) ends here.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any, cast

from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from bot.errors import (
    BrokenImage,
    DecodeLimitExceeded,
    EmptyFile,
    FileTooLarge,
    ImageRejected,
    NotAnImage,
    TooManyPixels,
    UnsupportedFormat,
)
from bot.i18n.message import gettext_noop
from bot.uploads import jpeg_segments, png_chunks
from bot.uploads.gif_blocks import shorten_gif_comments
from bot.uploads.plain_images import encode_plain
from bot.uploads.png_chunks import PNG_SIGNATURE

ALLOWED_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")
DECODER_MEMORY_FACTORS = {"WEBP": 1.9, "AVIF": 1.4}
"""How much more memory than a PNG's a format's own decoder takes; it bounds the pixels."""

MAX_FULL_SIZE_SCANS = 30  # of a progressive JPEG of the most pixels; smaller ones may have more
MAX_SIDE = 16384  # pixels; beyond it libraries down the line overflow or crawl
FIRST_FRAME_NOTE = gettext_noop("Only the first frame of the animation is used.")
ORIENTATION_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture of each EXIF orientation upright."""

DECODE_ERRORS = (
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
class ImageLimits:
    """What one attachment may be."""

    max_bytes: int
    max_pixels: int


@dataclass(frozen=True, kw_only=True)
class CheckedImage:
    """A picture that can be worked on."""

    #: A lossless WebP or a PNG, RGB or RGBA with 8 bits a channel, in sRGB, upright, without
    #: metadata.
    data: bytes
    #: In pixels, as the file is.
    width: int
    #: In pixels, as the file is.
    height: int
    #: What was done to it that its sender should know, as sentences.
    notes: tuple[str, ...] = ()
    #: Of `IMAGE_TRAITS`, those that it has.
    traits: frozenset[str] = frozenset()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height


IMAGE_TRAITS = ("opaque", "holed", "invisible", "black", "white")
"""What is told of a picture's pixels: no transparency; some; nothing but that; one tone only."""
DARKEST_WHITE, BRIGHTEST_BLACK = 192, 64  # levels of grey
ONE_TONE_SPREAD = 32  # levels between the darkest and the brightest pixel of one tone


def find_traits(image: Image.Image) -> frozenset[str]:
    """Tell the traits of an RGB or RGBA picture."""
    extrema = cast("tuple[tuple[int, int], ...]", image.getextrema())
    traits = {"opaque"}
    if image.mode == "RGBA":
        lowest_alpha, highest_alpha = extrema[3]
        if highest_alpha == 0:
            traits = {"invisible", "holed"}
        elif lowest_alpha < 255:
            traits = {"holed"}
    if "opaque" in traits:
        darkest = min(low for low, _ in extrema[:3])
        brightest = max(high for _, high in extrema[:3])
        if brightest - darkest <= ONE_TONE_SPREAD:
            traits |= {"black"} if brightest <= BRIGHTEST_BLACK else set()
            traits |= {"white"} if darkest >= DARKEST_WHITE else set()
    return frozenset(traits)


def check_image(data: bytes, name: str, limits: ImageLimits) -> CheckedImage:
    """Check a picture's bytes and re-encode its pixels.

    Raises:
        ImageRejected: says what is wrong with it and what to change.
    """
    check_bytes(data, name, limits)
    try:
        with Image.open(io.BytesIO(strip_metadata(data)), formats=ALLOWED_FORMATS) as image:
            # By the header: nothing is decoded yet.
            if fault := find_size_fault(name, image.size, image.format or "", limits):
                raise fault
            if image.format == "JPEG":
                _check_scans(data, image, name, limits)
            notes = (FIRST_FRAME_NOTE,) if _is_animated(data, image) else ()
            upright_image = _normalise_image(image)
            width, height = upright_image.size
            traits = find_traits(upright_image)
            data = encode_plain(upright_image)
            return CheckedImage(data=data, width=width, height=height, notes=notes, traits=traits)
    except ImageRejected:
        raise
    except UnidentifiedImageError:
        raise classify_unreadable(data, name) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise reject_bomb(name, limits) from None
    except MemoryError:
        raise DecodeLimitExceeded(name) from None
    except DECODE_ERRORS as error:
        raise BrokenImage(name) from error


def strip_metadata(data: bytes) -> bytes:
    """Return a file without what says nothing about its first frame's look, where that is known.

    Raises:
        ValueError: it has more parts than any picture.
    """
    if data.startswith(PNG_SIGNATURE):
        return png_chunks.strip_png_metadata(data)
    if data.startswith(jpeg_segments.JPEG_START):
        return jpeg_segments.strip_jpeg_metadata(data)
    return shorten_gif_comments(data)


def check_bytes(data: bytes, name: str, limits: ImageLimits) -> None:
    """Bound a file before anything of it is read.

    Raises:
        ImageRejected: it is empty or too large.
    """
    if not data:
        raise EmptyFile(name)
    if len(data) > limits.max_bytes:
        raise FileTooLarge(name, len(data), limits.max_bytes)


def find_size_fault(
    name: str, size: tuple[int, int], image_format: str, limits: ImageLimits
) -> ImageRejected | None:
    """Return what is wrong with a picture's width and height; None where nothing is."""
    width, height = size
    size_text = f"{width} × {height} pixels"
    copies = DECODER_MEMORY_FACTORS.get(image_format, 1)
    limit = ""
    if max(width, height) > MAX_SIDE:
        limit = f"{MAX_SIDE} pixels a side"
    elif width * height * copies > limits.max_pixels:
        of = f" of a {image_format}" if copies > 1 else ""
        limit = _megapixels_text(limits, copies) + of
    if limit:
        return TooManyPixels(name, size_text, limit, size=size, image_format=image_format)
    return None if width and height else BrokenImage(name)


def reject_bomb(name: str, limits: ImageLimits) -> TooManyPixels:
    """Make the refusal of a picture that says of itself what no file of its bytes could hold."""
    return TooManyPixels(name, gettext_noop("far larger than its file"), _megapixels_text(limits))


def _check_scans(data: bytes, image: Image.Image, name: str, limits: ImageLimits) -> None:
    """Bound how often the data paints the picture: each time takes as long as a picture's first."""
    count = jpeg_segments.count_scans(data)
    painted_pixels = count * image.width * image.height
    if count > jpeg_segments.MAX_SCANS or painted_pixels > MAX_FULL_SIZE_SCANS * limits.max_pixels:
        raise DecodeLimitExceeded(name)


def _megapixels_text(limits: ImageLimits, copies: float = 1) -> str:
    return f"{limits.max_pixels / copies / 1e6:.3g} megapixels"


def _is_animated(data: bytes, image: Image.Image) -> bool:
    if image.format == "PNG":
        return png_chunks.is_animated(data)  # what Pillow saw of it has one frame left
    return bool(getattr(image, "is_animated", False))


def _normalise_image(source_image: Image.Image) -> Image.Image:
    """Return the first frame upright, in sRGB, as RGB or RGBA.

    No more than two copies of the pixels exist at any time.
    """
    source_image.load()
    if hasattr(source_image, "_decoder"):
        source_image._decoder = None  # WebP's and AVIF's would keep two more copies
    image = _turn_upright(source_image)
    if image.mode == "I" or image.mode.startswith("I;16"):
        image = _from_deep_grey(image)
    target_mode = "RGBA" if image.has_transparency_data else "RGB"
    if profile := image.info.get("icc_profile"):
        image = _to_srgb(image, profile, target_mode)
    return image if image.mode == target_mode else image.convert(target_mode)


def _turn_upright(image: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF says; EXIF that makes no sense turns nothing."""
    try:
        turn = ORIENTATION_TRANSPOSES.get(image.getexif().get(ExifTags.Base.Orientation, 0))
    except DECODE_ERRORS:
        turn = None
    if turn is None:
        return image
    upright_image = image.transpose(turn)
    image.close()
    return upright_image


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Bring grey of 16 bits down to 8; Pillow's own conversion would cut off instead of scale."""
    scale_table = [(value * 255 + 32767) // 65535 for value in range(65536)]
    grey = image.convert("I").point(scale_table, "L")
    if isinstance(clear := image.info.get("transparency"), int):
        grey.info["transparency"] = scale_table[min(clear, 65535)]
    return grey


def _to_srgb(image: Image.Image, profile: Any, target_mode: str) -> Image.Image:
    """Convert the colours from an embedded profile to sRGB; a broken profile is ignored."""
    direct = image.mode in ("CMYK", "L") and target_mode == "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        if direct:
            return ImageCms.profileToProfile(image, source, target, outputMode="RGB") or image
        if image.mode != target_mode:
            image = image.convert(target_mode)
        ImageCms.profileToProfile(image, source, target, inPlace=True)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return image


READABLE_SIGNATURES = (PNG_SIGNATURE, b"\xff\xd8\xff", b"GIF8")
UNSUPPORTED_SIGNATURES = (
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"8BPS", gettext_noop("a Photoshop file")),
    (b"\xff\x0a", gettext_noop("a JPEG XL")),
    (b"\0\0\0\x0cJXL ", gettext_noop("a JPEG XL")),
    (b"\0\0\0\x0cjP  ", gettext_noop("a JPEG 2000")),
    (b"<svg", gettext_noop("an SVG drawing")),
)
"""How pictures in formats that are not read begin, with their names."""

NON_IMAGE_SIGNATURES = (
    (b"%PDF", gettext_noop("a PDF document")),
    (b"PK\x03\x04", gettext_noop("a ZIP archive")),
    (b"<!doctype html", gettext_noop("a web page")),
    (b"<html", gettext_noop("a web page")),
    (b"\x1aE\xdf\xa3", gettext_noop("a video")),
)
"""How other files that are taken for pictures begin."""

UNSUPPORTED_BRANDS = {
    b"heic": gettext_noop("a HEIC photo"),
    b"heix": gettext_noop("a HEIC photo"),
    b"mif1": gettext_noop("a HEIC photo"),
}


def classify_unreadable(data: bytes, name: str) -> ImageRejected:
    """Tell a picture that breaks off in its header from a file that never was one."""
    start = data[:256].lstrip().lower()
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if (data[:4] == b"RIFF" and data[8:12] == b"WEBP") or data.startswith(READABLE_SIGNATURES):
        return BrokenImage(name)
    if brand == b"avif":
        return BrokenImage(name)
    if brand:
        brand_name = UNSUPPORTED_BRANDS.get(brand)
        return (
            UnsupportedFormat(name, brand_name)
            if brand_name
            else NotAnImage(name, gettext_noop("a video"))
        )
    for begin, type_name in UNSUPPORTED_SIGNATURES:
        if data.startswith(begin) or start.startswith(begin):
            return UnsupportedFormat(name, type_name)
    if b"<svg" in start:
        return UnsupportedFormat(name, gettext_noop("an SVG drawing"))
    type_name = next(
        (words for begin, words in NON_IMAGE_SIGNATURES if start.startswith(begin.lower())), ""
    )
    return NotAnImage(name, type_name)
