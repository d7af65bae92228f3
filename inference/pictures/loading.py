"""Open a picture file the way the rest of the package expects pictures."""

from __future__ import annotations

import contextlib
import io

from PIL import Image, ImageCms, ImageOps

from inference.pictures.errors import PictureTooSmall, UnsupportedPicture

#: Networks see a picture as cells of this many pixels a side.
SMALLEST_SIDE = 8


def load(data: bytes) -> Image.Image:
    """Decode a picture file: `RGB`, or `RGBA` where any pixel is not opaque; sRGB, upright.

    The first frame of an animation counts. The camera's orientation is applied, colours are
    converted from an embedded profile to sRGB, and nothing else of the metadata is kept.

    Raises:
        UnsupportedPicture: the bytes are no picture that can be read.
        PictureTooSmall: a side is below 8 pixels.
    """
    try:
        with Image.open(io.BytesIO(data)) as opened:
            profile = opened.info.get("icc_profile")
            picture = _eight_bit(ImageOps.exif_transpose(opened))
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise UnsupportedPicture from error
    if min(picture.size) < SMALLEST_SIDE:
        raise PictureTooSmall
    if isinstance(profile, bytes):
        picture = _to_srgb(picture, profile)
    picture.info.clear()
    return picture


def _eight_bit(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16"):
        picture = picture.point(lambda value: value / 257).convert("L")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    opaque = layer.getchannel("A").getextrema() == (255, 255)
    return layer.convert("RGB") if opaque else layer


def _to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """Convert to sRGB; a profile that cannot be used (broken, or of CMYK or grey) is ignored."""
    with contextlib.suppress(ImageCms.PyCMSError, OSError, TypeError, ValueError):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(picture, source, target) or picture
    return picture
