"""What the pixels under a mask are before the first step: masked content and backgrounds."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image, ImageFilter

from inference.images.errors import FullyTransparent
from inference.images.mask.masks import invert_mask

#: Blur radius in pixels and how often the blurred picture is laid over the one before.
FILL_PYRAMID = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))

Colour = tuple[int, int, int]
WHITE_RGB: Colour = (255, 255, 255)


def fill_masked(image: Image.Image, mask: Image.Image) -> Image.Image:
    """Fill the masked part with the colours around it; `RGB`, same size.

    The holed picture is blurred with ever smaller radii, each laid over the last, so that a masked
    pixel takes the finest blur that still reaches it. Alpha is premultiplied while blurring: the
    hole adds no black of its own.
    """
    filled_image = Image.new("RGBA", image.size)
    for layer in _blurred_layers(_with_hole(image, mask)):
        filled_image.alpha_composite(layer)
    return filled_image.convert("RGB")


def flatten_alpha(image: Image.Image, background: Colour = WHITE_RGB) -> Image.Image:
    """Lay a picture over a background colour; `RGB`.

    Raises:
        FullyTransparent: no pixel of the picture is visible.
    """
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    if layer.getchannel("A").getbbox() is None:
        raise FullyTransparent
    base = Image.new("RGBA", image.size, (*background, 255))
    return Image.alpha_composite(base, layer).convert("RGB")


def drop_alpha(image: Image.Image) -> Image.Image:
    """Forget a picture's alpha and show the colours that were behind it; `RGB`.

    Many editors write transparent pixels as black.
    """
    return image.convert("RGBA").convert("RGB")


def _with_hole(image: Image.Image, mask: Image.Image) -> Image.Image:
    """Cut the masked part out; premultiplied `RGBa`."""
    holed_image = Image.new("RGBa", image.size)
    holed_image.paste(image.convert("RGBA").convert("RGBa"), mask=invert_mask(mask))
    return holed_image


def _blurred_layers(holed_image: Image.Image) -> Iterator[Image.Image]:
    for radius, repeats in FILL_PYRAMID:
        layer = holed_image.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(repeats):
            yield layer
