"""What the pixels under a mask are before the first step: masked content and backgrounds."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image, ImageFilter

from inference.pictures.errors import FullyTransparent
from inference.pictures.masks import invert

#: Blur radius in pixels and how often the blurred picture is laid over the one before.
FILL_PYRAMID = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)


def fill(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """Fill the masked part with the colours around it; `RGB`, same size.

    The holed picture is blurred with ever smaller radii, each laid over the last, so that a masked
    pixel takes the finest blur that still reaches it. Alpha is premultiplied while blurring: the
    hole adds no black of its own.
    """
    filled = Image.new("RGBA", picture.size)
    for layer in _layers(_with_hole(picture, mask)):
        filled.alpha_composite(layer)
    return filled.convert("RGB")


def flatten(picture: Image.Image, background: Colour = WHITE) -> Image.Image:
    """Lay a picture over a background colour; `RGB`.

    Raises:
        FullyTransparent: no pixel of the picture is visible.
    """
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    if layer.getchannel("A").getbbox() is None:
        raise FullyTransparent
    base = Image.new("RGBA", picture.size, (*background, 255))
    return Image.alpha_composite(base, layer).convert("RGB")


def drop_alpha(picture: Image.Image) -> Image.Image:
    """Forget a picture's alpha and show the colours that were behind it; `RGB`.

    Many editors write transparent pixels as black.
    """
    return picture.convert("RGBA").convert("RGB")


def _with_hole(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """Cut the masked part out; premultiplied `RGBa`."""
    holed = Image.new("RGBa", picture.size)
    holed.paste(picture.convert("RGBA").convert("RGBa"), mask=invert(mask))
    return holed


def _layers(holed: Image.Image) -> Iterator[Image.Image]:
    for radius, repeats in FILL_PYRAMID:
        layer = holed.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(repeats):
            yield layer
