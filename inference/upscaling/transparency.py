"""Take transparency apart from colour before a network sees it, and put it back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageFilter

from inference.upscaling.tiling.tiles import Bytes

Floats = npt.NDArray[np.float32]


def split_transparency(image: Image.Image) -> tuple[Bytes, Bytes | None]:
    """Split an RGB or RGBA picture into colour and transparency.

    Returns [H, W, 3] uint8 and [H, W] uint8 or, where nothing is transparent, None. Colour under
    fully transparent pixels is whatever a program left there; it is replaced by its visible
    neighbours' so that the network draws no fringe from it.

    Raises:
        ValueError: the picture has another mode.
    """
    if image.mode == "RGB":
        return np.asarray(image), None
    if image.mode != "RGBA":
        raise ValueError(f"Expected an RGB or RGBA picture, got {image.mode}.")
    pixels = np.asarray(image)
    colour, alpha = pixels[..., :3], pixels[..., 3]
    if alpha.min() == 255:
        return np.ascontiguousarray(colour), None
    return extend_edge_colours(colour, alpha), np.ascontiguousarray(alpha)


def extend_edge_colours(colour: Bytes, alpha: Bytes) -> Bytes:
    """Let visible colour run into the fully transparent pixels.

    Takes [H, W, 3] and [H, W], returns [H, W, 3], all uint8; visible pixels stay as they are.
    Source: Gortler et al., "The Lumigraph" (1996), the pull-push pyramid.
    """
    if alpha.min() > 0:
        return np.ascontiguousarray(colour)
    weight = (alpha > 0).astype(np.float32)
    filled_colour = _fill_holes(colour.astype(np.float32) * weight[..., None], weight)
    visible = (alpha > 0)[..., None]
    return np.where(visible, colour, np.rint(filled_colour).astype(np.uint8))


def bound_transparency(enlarged_alpha: Image.Image, alpha: Bytes) -> Image.Image:
    """Hold an enlarged transparency, mode L, between its nearest source values, [h, w] uint8.

    A network leaves solid areas a level or two short of solid and clear ones not quite clear.
    """
    source = Image.fromarray(alpha)
    lower_bound = source.filter(ImageFilter.MinFilter(3)).resize(
        enlarged_alpha.size, Image.Resampling.NEAREST
    )
    upper_bound = source.filter(ImageFilter.MaxFilter(3)).resize(
        enlarged_alpha.size, Image.Resampling.NEAREST
    )
    return ImageChops.lighter(lower_bound, ImageChops.darker(enlarged_alpha, upper_bound))


def _fill_holes(weighted_colour: Floats, weight: Floats) -> Floats:
    """Fill the holes of [H, W, 3] weighted colour by [H, W] weights from coarser levels."""
    known_colour = (weighted_colour / np.maximum(weight, 1e-6)[..., None]).astype(np.float32)
    if weight.min() > 0 or weight.size == 1:
        return known_colour
    coarse = _fill_holes(_halve_size(weighted_colour), _halve_size(weight[..., None])[..., 0])
    rows = np.arange(weight.shape[0]) // 2
    columns = np.arange(weight.shape[1]) // 2
    return np.where(weight[..., None] > 0, known_colour, coarse[rows][:, columns]).astype(
        np.float32
    )


def _halve_size(values: Floats) -> Floats:
    """Average [H, W, C] over blocks of 2 by 2; an odd edge stands in for its missing twin."""
    odd = [(0, values.shape[0] % 2), (0, values.shape[1] % 2), (0, 0)]
    even = np.pad(values, odd, mode="edge")
    height, width, channels = even.shape
    mean: Floats = even.reshape(height // 2, 2, width // 2, 2, channels).mean(axis=(1, 3))
    return mean
