"""Masks: where they come from, and what the pipeline makes of them.

A mask is a PIL `L` picture, 0–255; white is what changes. The order of the steps is: source, union,
invert, blur, then the overlay mask (for the composite) and the latent mask (for the denoising).
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from PIL import Image, ImageChops, ImageOps

from inference.images import gaussian
from inference.images.arrays import FloatArray

#: A grey above this counts as painted.
PAINTED_THRESHOLD = 128
#: Alpha from here on looks opaque: what a crop, a rotation or a lossy format leaves of 255.
OPAQUE_ALPHA = 250
#: Pixels of a picture behind one cell of its latent, along each axis.
LATENT_SCALE = 8
#: Two aspect ratios closer than this are the same picture scaled.
SAME_ASPECT_TOLERANCE = 0.02


class MaskFit(StrEnum):
    """What had to be done to a mask to lay it over its picture."""

    SAME = "same size"
    SCALED = "scaled"
    #: The aspect ratios differ, so the mask was stretched.
    STRETCHED = "stretched"


def from_luminance(image: Image.Image) -> Image.Image:
    """Take a picture's luminance as mask; greys stay grey, alpha does not count."""
    return image.convert("RGB").convert("L") if image.mode != "L" else image.copy()


def from_transparency(image: Image.Image) -> Image.Image:
    """Mark every pixel of the source that is not fully opaque; black where it has no alpha.

    A picture whose alpha is nowhere below `OPAQUE_ALPHA` shows no transparency and has none.
    """
    if not image.has_transparency_data:
        return Image.new("L", image.size, 0)
    alpha = image.convert("RGBA").getchannel("A")
    if np.asarray(alpha).min() >= OPAQUE_ALPHA:
        return Image.new("L", image.size, 0)
    return alpha.point([255] * 255 + [0])


def from_source(image: Image.Image, painted_mask: Image.Image | None = None) -> Image.Image:
    """Unite the source's own transparency with what was painted over it (grey above `PAINTED`)."""
    transparency_mask = from_transparency(image)
    return (
        transparency_mask
        if painted_mask is None
        else unite_masks(transparency_mask, threshold_mask(painted_mask))
    )


def threshold_mask(mask: Image.Image) -> Image.Image:
    """Cut a mask to black and white: above `PAINTED` is white."""
    return mask.point([0] * (PAINTED_THRESHOLD + 1) + [255] * (255 - PAINTED_THRESHOLD))


def unite_masks(first: Image.Image, second: Image.Image) -> Image.Image:
    """Return what either of two masks of the same size marks."""
    if first.size != second.size:
        raise ValueError(f"Masks of {first.size} and {second.size} pixels cannot be united.")
    return ImageChops.lighter(first, second)


def invert_mask(mask: Image.Image) -> Image.Image:
    """Return the mask that marks what this one leaves alone."""
    return ImageOps.invert(mask)


def is_blank(mask: Image.Image) -> bool:
    """Whether a mask marks nothing at all."""
    return mask.getbbox() is None


def blur_mask(mask: Image.Image, sigma_x: float, sigma_y: float | None = None) -> Image.Image:
    """Blur a mask by σ pixels, along x and then along y, rounding to 8 bits after each.

    The gaussian is cut to 2·⌊2.5σ + .5⌋ + 1 taps, with reflect-101 borders. σ 0 leaves an axis as
    it is. `sigma_y` is `sigma_x` unless given.
    """
    blur_x, blur_y = sigma_x, sigma_x if sigma_y is None else sigma_y
    if blur_x <= 0 and blur_y <= 0:
        return mask.copy()
    if mask.getpixel((0, 0)) == 255:  # Mostly white, most likely: the black part is smaller.
        return invert_mask(_blur_marked(invert_mask(mask), blur_x, blur_y))
    return _blur_marked(mask, blur_x, blur_y)


def _blur_marked(mask: Image.Image, sigma_x: float, sigma_y: float) -> Image.Image:
    """Blur a mask at the cost of the box around what it marks."""
    box = mask.getbbox()
    if box is None:
        return mask.copy()
    region = _with_margin(
        box, gaussian.kernel_size(sigma_x) - 1, gaussian.kernel_size(sigma_y) - 1, mask
    )
    values = np.asarray(mask.crop(region))
    for sigma, axis in ((sigma_x, 1), (sigma_y, 0)):
        if sigma > 0:
            values = gaussian.convolve_axis(
                values, gaussian.gaussian_kernel(sigma), axis, round_result=True
            )
    blurred_mask = Image.new("L", mask.size, 0)
    blurred_mask.paste(Image.fromarray(values), region[:2])
    return blurred_mask


def overlay_mask(mask: Image.Image) -> Image.Image:
    """Return min(2·mask, 255): the original comes back in full only where the mask is 0."""
    return mask.point([min(2 * value, 255) for value in range(256)])


def latent_mask(mask: Image.Image, width: int, height: int, *, soft: bool = False) -> FloatArray:
    """Scale a mask to latent cells: height × width, float32 0–1, cut to 0 or 1 unless `soft`.

    `width` and `height` are the latent's. Scaling is bicubic over the area of each cell.
    """
    small = mask.resize((width, height), Image.Resampling.BICUBIC)
    values = np.asarray(small, dtype=np.float32) / np.float32(255)
    return values if soft else np.rint(values)


def lay_over(mask: Image.Image, size: tuple[int, int]) -> tuple[Image.Image, MaskFit]:
    """Scale a mask to its picture's size, and say what that took.

    The mask is stretched where the aspect ratios differ, so that its borders stay the borders. A
    mask of black and white alone stays black and white.
    """
    if mask.size == size:
        return mask.copy(), MaskFit.SAME
    scale_x, scale_y = size[0] / mask.width, size[1] / mask.height
    same_aspect = abs(scale_x / scale_y - 1) <= SAME_ASPECT_TOLERANCE
    hard = not any(mask.histogram()[1:255])
    scaled_mask = mask.resize(size, Image.Resampling.BILINEAR)
    fitted_mask = threshold_mask(scaled_mask) if hard else scaled_mask
    return fitted_mask, MaskFit.SCALED if same_aspect else MaskFit.STRETCHED


def _with_margin(
    box: tuple[int, int, int, int], margin_x: int, margin_y: int, mask: Image.Image
) -> tuple[int, int, int, int]:
    """Grow a box inside its mask.

    By twice the reach of a blur: what the blur's own mirror sees at the new border is then black,
    so blurring the box alone is the same as blurring the whole mask.
    """
    left, upper, right, lower = box
    return (
        max(0, left - margin_x),
        max(0, upper - margin_y),
        min(mask.width, right + margin_x),
        min(mask.height, lower + margin_y),
    )
