"""Fit a picture into a size: the resize modes of the web user interfaces.

Geometry is separate from pixels, so that it can be checked with integers alone. Sizes and offsets
are in pixels; a picture is PIL `RGB`, `RGBA`, `L` or `LA`, 8 bits a channel.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from PIL import Image

from inference.pictures.errors import UnsupportedPicture

#: Enlarges a picture by at least the given factor; it may return more than was asked for.
Upscale = Callable[[Image.Image, float], Image.Image]

RESIZABLE_MODES = frozenset({"RGB", "RGBA", "L", "LA"})

#: A covering picture with more than this many times the pixels of its target is cut out of the
#: source directly: a 4096 × 1 strip made 1024 high would otherwise have four billion pixels.
LARGEST_SURPLUS = 16


class ResizeMode(StrEnum):
    """How a picture meets a size of another aspect ratio."""

    #: Stretch to the size; the aspect ratio is given up.
    JUST_RESIZE = "just resize"
    #: Cover the size and cut off what hangs over, evenly on both sides.
    CROP_AND_RESIZE = "crop and resize"
    #: Fit inside the size and continue the outermost rows or columns into the bars.
    RESIZE_AND_FILL = "resize and fill"
    #: Leave the picture alone; the engine resizes its latent instead.
    LATENT_UPSCALE = "latent upscale"


class Placement(NamedTuple):
    """Where a scaled picture lies on its canvas: its size and its upper left corner, in pixels."""

    width: int
    height: int
    x: int
    y: int


def crop_geometry(iw: int, ih: int, w: int, h: int) -> Placement:
    """Place an iw × ih picture so that it covers w × h; offsets are zero or negative."""
    wider_target = w * ih > iw * h
    sw = iw * h // ih if not wider_target else w
    sh = ih * w // iw if wider_target else h
    return Placement(sw, sh, w // 2 - sw // 2, h // 2 - sh // 2)


def fill_geometry(iw: int, ih: int, w: int, h: int) -> Placement:
    """Place an iw × ih picture inside w × h, at least one pixel thick; offsets are not negative."""
    narrower_target = w * ih < iw * h
    sw = w if narrower_target else max(1, iw * h // ih)
    sh = h if not narrower_target else max(1, ih * w // iw)
    return Placement(sw, sh, w // 2 - sw // 2, h // 2 - sh // 2)


def scale_to(
    picture: Image.Image, width: int, height: int, upscale: Upscale | None = None
) -> Image.Image:
    """Scale a picture to exactly width × height with Lanczos, enlarging with `upscale` first.

    Single-channel pictures (masks) never go through `upscale`. Alpha is premultiplied meanwhile, so
    that hidden colours do not bleed into visible ones.
    """
    _check(picture)
    scale = max(width / picture.width, height / picture.height)
    if upscale is not None and scale > 1 and picture.mode not in {"L", "LA"}:
        picture = upscale(picture, scale)
    if picture.size == (width, height):
        return picture.copy()
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def fit(
    picture: Image.Image,
    width: int,
    height: int,
    mode: ResizeMode,
    upscale: Upscale | None = None,
) -> Image.Image:
    """Fit a picture into width × height pixels; a new picture of the same mode.

    LATENT_UPSCALE returns a copy at the picture's own size.

    Raises:
        UnsupportedPicture: the picture is neither RGB(A) nor L(A).
        ValueError: a side is smaller than one pixel.
    """
    if width < 1 or height < 1:
        raise ValueError(f"A picture needs at least 1 × 1 pixels, got {width} × {height}.")
    _check(picture)
    match ResizeMode(mode):
        case ResizeMode.JUST_RESIZE:
            return scale_to(picture, width, height, upscale)
        case ResizeMode.CROP_AND_RESIZE:
            return _cover(picture, width, height, upscale)
        case ResizeMode.RESIZE_AND_FILL:
            place = fill_geometry(*picture.size, width, height)
            scaled = scale_to(picture, place.width, place.height, upscale)
            return _with_bars(scaled, place, width, height)
        case _:
            return picture.copy()


def _check(picture: Image.Image) -> None:
    if picture.mode not in RESIZABLE_MODES:
        raise UnsupportedPicture(
            f"A picture of mode {picture.mode} cannot be resized; convert it to RGB first."
        )


def _cover(picture: Image.Image, width: int, height: int, upscale: Upscale | None) -> Image.Image:
    """Cover width × height, without ever making the whole of a very long scaled picture."""
    place = crop_geometry(*picture.size, width, height)
    x0, y0, x1, y1 = -place.x, -place.y, width - place.x, height - place.y
    if place.width * place.height <= LARGEST_SURPLUS * width * height:
        return scale_to(picture, place.width, place.height, upscale).crop((x0, y0, x1, y1))
    across, down = picture.width / place.width, picture.height / place.height
    box = (x0 * across, y0 * down, x1 * across, y1 * down)
    return picture.resize((width, height), Image.Resampling.LANCZOS, box=box)


def _with_bars(scaled: Image.Image, place: Placement, width: int, height: int) -> Image.Image:
    """Continue the outermost pixels of a placed picture to the borders of the canvas.

    The far bar takes whatever is left, so an odd remainder leaves no uncovered line.
    """
    canvas = Image.new(scaled.mode, (width, height))
    canvas.paste(scaled, (place.x, place.y))
    right, bottom = place.x + place.width, place.y + place.height
    bars = (
        ((0, 0, 1, height), (0, 0, place.x, height)),
        ((place.width - 1, 0, place.width, height), (right, 0, width, height)),
        ((0, 0, width, 1), (0, 0, width, place.y)),
        ((0, place.height - 1, width, place.height), (0, bottom, width, height)),
    )
    for source, (x0, y0, x1, y1) in bars:
        if x1 > x0 and y1 > y0:
            bar = scaled.crop(source).resize((x1 - x0, y1 - y0), Image.Resampling.NEAREST)
            canvas.paste(bar, (x0, y0))
    return canvas
