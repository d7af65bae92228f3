"""Put the repainted pixels back: what the mask leaves alone is the source, bit for bit."""

from __future__ import annotations

from PIL import Image

from inference.images.mask.masks import invert_mask
from inference.images.regions import Box
from inference.images.resize import ResizeMode, fit_image


def make_overlay(original: Image.Image, mask: Image.Image) -> Image.Image:
    """Return the original with the masked part cut out; premultiplied `RGBa`.

    `mask` is the overlay mask: alpha is 255 − mask. Hidden colours are gone, so the overlay can be
    scaled or blurred without a fringe.
    """
    overlay_image = Image.new("RGBa", original.size)
    overlay_image.paste(original.convert("RGBA").convert("RGBa"), mask=invert_mask(mask))
    return overlay_image


def composite_under_mask(
    result: Image.Image, original: Image.Image, mask: Image.Image
) -> Image.Image:
    """Lay the original over the result wherever the mask leaves it; `RGB`.

    All three have one size. Where the overlay mask is 0 the original's pixels come back exactly,
    where it is 255 the result's do; between, result·mask + original·(1 − mask).

    Raises:
        ValueError: the sizes differ.
    """
    if not result.size == original.size == mask.size:
        raise ValueError(
            f"Result {result.size}, original {original.size} and mask {mask.size} differ in size."
        )
    return Image.composite(result.convert("RGB"), original.convert("RGB"), mask)


def paste_back(
    patch: Image.Image, original: Image.Image, mask: Image.Image, box: Box
) -> Image.Image:
    """Return the original with a repainted cut-out put back into its box; `RGB`, original's size.

    The patch is cropped and resized to the box and composited there under the mask (the blurred
    mask at the original's size). Outside the box no pixel is touched or even computed.
    """
    left, upper, right, lower = box
    resized_patch = fit_image(
        patch.convert("RGB"), right - left, lower - upper, ResizeMode.CROP_AND_RESIZE
    )
    whole = original.convert("RGB") if original.mode != "RGB" else original.copy()
    whole.paste(composite_under_mask(resized_patch, whole.crop(box), mask.crop(box)), (left, upper))
    return whole
