"""Put a `parameters` text into a picture file and take it out again; nothing else goes along.

PNG keeps it in the text chunk `parameters`, JPEG and WebP in the EXIF user comment, GIF in its
comment block. Whatever the picture object carried (EXIF, place, ICC profile, comments) is dropped.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Literal

from PIL import ExifTags, Image, PngImagePlugin

from inference.images.errors import TextTooLong, UnsupportedImage

FileFormat = Literal["png", "jpeg", "webp", "gif"]

#: zlib's levels, and above how many pixels the lower one is taken.
PNG_LEVEL, LARGE_PNG_LEVEL, LARGE_PNG_PIXELS = 6, 1, 2048 * 2048
PNG_TEXT_KEYS = ("parameters", "postprocessing", "extras")
#: An EXIF block lives in one JPEG segment of 65,535 bytes, and the comment has two bytes a sign.
MAX_COMMENT_BYTES = 65_000  # bytes

#: The longest side a format can hold, in pixels.
MAX_SIDE_BY_FORMAT: Mapping[str, int] = {"jpeg": 65_500, "webp": 16_383, "gif": 65_535}

_IMAGE_READ_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    KeyError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def encode_png(image: Image.Image, text: str | None = None) -> bytes:
    """Encode a picture as PNG with the text in its `parameters` chunk."""
    return encode_image(image, "png", text)


def encode_image(
    image: Image.Image,
    file_format: FileFormat,
    text: str | None = None,
    *,
    quality: int = 90,
    lossless: bool = False,
    effort: int = 4,
) -> bytes:
    """Encode a picture and return the file's bytes.

    `quality` is 1–100 for JPEG and lossy WebP; `lossless` and `effort`, 0–6, concern WebP alone.
    JPEG has no alpha and gets the picture on white. Large PNGs are packed less tightly, in a third
    of the time.

    Raises:
        TextTooLong: the text does not fit into one JPEG, WebP or GIF block.
        UnsupportedImage: no such format, or the picture is too long for it.
    """
    largest = MAX_SIDE_BY_FORMAT.get(file_format)
    if largest is not None and max(image.size) > largest:
        raise UnsupportedImage("image.side_too_long", format=file_format.upper(), largest=largest)
    clean = _copy_pixels(image)
    text = (text or "").replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    out = io.BytesIO()
    match file_format:
        case "png":
            info = PngImagePlugin.PngInfo()
            if text:
                info.add_text("parameters", text)
            is_large = clean.width * clean.height > LARGE_PNG_PIXELS
            level = LARGE_PNG_LEVEL if is_large else PNG_LEVEL
            clean.save(out, "PNG", pnginfo=info, compress_level=level)
        case "jpeg":
            _on_white(clean).save(out, "JPEG", quality=quality, exif=_build_exif(text))
        case "webp":
            exif = _build_exif(text)
            clean.save(out, "WEBP", quality=quality, lossless=lossless, method=effort, exif=exif)
        case "gif":
            clean.save(out, "GIF", comment=gif_comment(text))
        case _:
            raise UnsupportedImage("image.unknown_format", format=file_format)
    return out.getvalue()


def gif_comment(text: str) -> bytes:
    """Return the bytes of a GIF comment block."""
    comment = text.encode("utf-8")
    if len(comment) > MAX_COMMENT_BYTES:
        raise TextTooLong
    return comment


def _copy_pixels(image: Image.Image) -> Image.Image:
    """Copy the pixels alone, in a mode every format here can write."""
    mode = image.mode if image.mode in {"L", "RGB", "RGBA"} else "RGBA"
    bare = image.convert(mode) if mode != image.mode else image.copy()
    clean = Image.frombytes(mode, bare.size, bare.tobytes())
    clean.info.clear()
    return clean


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _build_exif(text: str) -> bytes:
    if not text:
        return b""
    comment = b"UNICODE\0" + text.encode("utf-16-be")
    if len(comment) > MAX_COMMENT_BYTES:
        raise TextTooLong
    exif = Image.Exif()
    exif.endian = ">"  # Readers take the two-byte signs to be in the order of the block.
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    return exif.tobytes()
