"""Fit a picture into a size: the resize modes of the web user interfaces.

Geometry is separate from pixels, so that it can be checked with integers alone. Sizes and offsets
are in pixels; a picture is PIL `RGB`, `RGBA`, `L` or `LA`, 8 bits a channel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from PIL import Image

from inference.images.errors import UnsupportedImage

#: Enlarges a picture by at least the given factor; it may return more than was asked for.
Upscale = Callable[[Image.Image, float], Image.Image]

RESIZABLE_MODES = frozenset({"RGB", "RGBA", "L", "LA"})

#: A covering picture with more than this many times the pixels of its target is cut out of the
#: source directly: a 4096 × 1 strip made 1024 high would otherwise have four billion pixels.
MAX_SURPLUS_RATIO = 16


#: Sides of a shape at a given area are multiples of this.
AREA_GRANULE = 32


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


class ResizePlacement(NamedTuple):
    """Where a scaled picture lies on its canvas: its size and its upper left corner, in pixels."""

    width: int
    height: int
    x: int
    y: int


def crop_geometry(iw: int, ih: int, w: int, h: int) -> ResizePlacement:
    """Place an iw × ih picture so that it covers w × h; offsets are zero or negative."""
    wider_target = w * ih > iw * h
    sw = iw * h // ih if not wider_target else w
    sh = ih * w // iw if wider_target else h
    return ResizePlacement(sw, sh, w // 2 - sw // 2, h // 2 - sh // 2)


def fill_geometry(iw: int, ih: int, w: int, h: int) -> ResizePlacement:
    """Place an iw × ih picture inside w × h, at least one pixel thick; offsets are not negative."""
    narrower_target = w * ih < iw * h
    sw = w if narrower_target else max(1, iw * h // ih)
    sh = h if not narrower_target else max(1, ih * w // iw)
    return ResizePlacement(sw, sh, w // 2 - sw // 2, h // 2 - sh // 2)


def scale_to(
    image: Image.Image, width: int, height: int, upscale: Upscale | None = None
) -> Image.Image:
    """Scale a picture to exactly width × height with Lanczos, enlarging with `upscale` first.

    Single-channel pictures (masks) never go through `upscale`. Alpha is premultiplied meanwhile, so
    that hidden colours do not bleed into visible ones.
    """
    _require_resizable_mode(image)
    scale = max(width / image.width, height / image.height)
    if upscale is not None and scale > 1 and image.mode not in {"L", "LA"}:
        image = upscale(image, scale)
    if image.size == (width, height):
        return image.copy()
    return image.resize((width, height), Image.Resampling.LANCZOS)


def fit_image(
    image: Image.Image,
    width: int,
    height: int,
    mode: ResizeMode,
    upscale: Upscale | None = None,
) -> Image.Image:
    """Fit a picture into width × height pixels; a new picture of the same mode.

    LATENT_UPSCALE returns a copy at the picture's own size.

    Raises:
        UnsupportedImage: the picture is neither RGB(A) nor L(A).
        ValueError: a side is smaller than one pixel.
    """
    if width < 1 or height < 1:
        raise ValueError(f"A picture needs at least 1 × 1 pixels, got {width} × {height}.")
    _require_resizable_mode(image)
    match ResizeMode(mode):
        case ResizeMode.JUST_RESIZE:
            return scale_to(image, width, height, upscale)
        case ResizeMode.CROP_AND_RESIZE:
            return _cover_size(image, width, height, upscale)
        case ResizeMode.RESIZE_AND_FILL:
            place = fill_geometry(*image.size, width, height)
            scaled_image = scale_to(image, place.width, place.height, upscale)
            return _with_bars(scaled_image, place, width, height)
        case _:
            return image.copy()


def _require_resizable_mode(image: Image.Image) -> None:
    if image.mode not in RESIZABLE_MODES:
        raise UnsupportedImage("image.mode", mode=image.mode)


def _cover_size(
    image: Image.Image, width: int, height: int, upscale: Upscale | None
) -> Image.Image:
    """Cover width × height, without ever making the whole of a very long scaled picture."""
    place = crop_geometry(*image.size, width, height)
    x0, y0, x1, y1 = -place.x, -place.y, width - place.x, height - place.y
    if place.width * place.height <= MAX_SURPLUS_RATIO * width * height:
        return scale_to(image, place.width, place.height, upscale).crop((x0, y0, x1, y1))
    ratio_x, ratio_y = image.width / place.width, image.height / place.height
    box = (x0 * ratio_x, y0 * ratio_y, x1 * ratio_x, y1 * ratio_y)
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box)


def _with_bars(
    scaled_image: Image.Image, place: ResizePlacement, width: int, height: int
) -> Image.Image:
    """Continue the outermost pixels of a placed picture to the borders of the canvas.

    The far bar takes whatever is left, so an odd remainder leaves no uncovered line.
    """
    canvas = Image.new(scaled_image.mode, (width, height))
    canvas.paste(scaled_image, (place.x, place.y))
    right, bottom = place.x + place.width, place.y + place.height
    bars = (
        ((0, 0, 1, height), (0, 0, place.x, height)),
        ((place.width - 1, 0, place.width, height), (right, 0, width, height)),
        ((0, 0, width, 1), (0, 0, width, place.y)),
        ((0, place.height - 1, width, place.height), (0, bottom, width, height)),
    )
    for source, (x0, y0, x1, y1) in bars:
        if x1 > x0 and y1 > y0:
            bar = scaled_image.crop(source).resize((x1 - x0, y1 - y0), Image.Resampling.NEAREST)
            canvas.paste(bar, (x0, y0))
    return canvas


def scale_to_area(size: tuple[int, int], area: int) -> tuple[int, int]:
    """Give width and height of a shape at so many pixels, in whole 32s."""
    ratio = size[0] / size[1]
    width = math.sqrt(area * ratio)
    sides = (round(side / AREA_GRANULE) for side in (width, width / ratio))
    return tuple(max(1, count) * AREA_GRANULE for count in sides)  # type: ignore[return-value]
