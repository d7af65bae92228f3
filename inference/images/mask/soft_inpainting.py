"""Soft inpainting: the step blend and the composite mask.

A mask's grey says how strongly each step repaints; what changed in the end decides how much of the
original comes back.

Latents are channels × height × width, float32, in the network's own scale; masks are height × width
of the latent, float32 0–1, 1 is repainted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from inference.images import gaussian
from inference.images.arrays import FloatArray, to_image
from inference.images.regions import Size

#: σ in pixels of the last blur over the composite mask.
FINAL_BLUR_SIGMA = 4.0
#: The percentile filters over the latent difference: from and to, as shares of the weight.
PERCENTILE_RANGES = ((0.9, 1.0), (0.25, 0.75))
FILTER_SIGMA, FILTER_RADIUS = 1.5, 2  # latent cells

_MIN_LATENT_LENGTH = 1e-5

#: float32, an array or a tensor.
Latent = TypeVar("Latent", bound=Any)


@dataclass(frozen=True)
class SoftSettings:
    """How softly to inpaint."""

    #: Exponent of the noise level in the step blend; 0 and up.
    blend_power: float = 1.0
    #: Preservation of masked content in the step blend; 0 and up.
    blend_scale: float = 0.5
    #: Exponent that keeps the contrast of a blend, 1 and up; higher keeps more detail.
    detail: float = 4.0
    #: How much the mask itself decides the composite, 0–1; the rest is the difference.
    mask_influence: float = 0.0
    #: How much a latent must change before the original is given up.
    difference_threshold: float = 0.5
    #: How abrupt that decision is.
    difference_contrast: float = 2.0


def blend_latents(
    original_latent: Latent,
    repainted_latent: Latent,
    mask: Latent,
    sigma: float,
    settings: SoftSettings,
) -> Latent:
    """Blend one step's latents by the mask at a noise level; shape of `original`.

    All three are arrays or tensors of one device, where the blend is made.

    The share of the repainted is t = mask^(σ^power·scale). A plain blend of unrelated latents is
    shorter than either, so each cell is stretched to the power mean of the two lengths. The last
    step (σ 0) is to be left unblended.
    """
    share = mask ** (sigma**settings.blend_power * settings.blend_scale)
    blended_latent = original_latent * (1 - share) + repainted_latent * share
    power = settings.detail
    target_length = (
        _measure_length(original_latent) ** power * (1 - share)
        + _measure_length(repainted_latent) ** power * share
    ) ** (1 / power)
    stretched_latent: Latent = blended_latent * (
        target_length / (_measure_length(blended_latent) + _MIN_LATENT_LENGTH)
    )
    return stretched_latent


def composite_mask(
    original_latent: FloatArray,
    repainted_latent: FloatArray,
    mask: FloatArray,
    size: Size,
    settings: SoftSettings,
) -> Image.Image:
    """Return where the result replaces the original, from how much the latents differ; `L`.

    White is the result, black the original; `size` is the picture's, in pixels.
    """
    scalar = 1 - np.clip(mask, 0, 1) ** (settings.blend_scale / 2)
    scalar = 0.5 * (1 - settings.mask_influence) + scalar * settings.mask_influence
    scalar = scalar / (1.00001 - scalar)
    distance = _measure_length(repainted_latent - original_latent)
    for low, high in PERCENTILE_RANGES:
        distance = percentile_filter(distance, low, high)
    relative = distance / np.maximum(settings.difference_threshold * scalar, 1e-12)
    original_share = smootherstep(1 / (1 + relative**settings.difference_contrast))
    change_mask = to_image(1 - original_share).resize(size, Image.Resampling.BICUBIC)
    blurred_mask = gaussian.blur_array(
        np.asarray(change_mask, dtype=np.float32), FINAL_BLUR_SIGMA, FINAL_BLUR_SIGMA
    )
    return to_image(blurred_mask / 255)


def smootherstep(x: FloatArray) -> FloatArray:
    """Return 6x⁵ − 15x⁴ + 10x³ of x clipped to 0–1: flat to the second derivative at both ends.

    Source: Perlin, Improving Noise (2002).
    """
    t = np.clip(x, 0, 1)
    return np.asarray(t * t * t * (t * (t * 6 - 15) + 10), dtype=np.float32)


def percentile_filter(values: FloatArray, low: float, high: float) -> FloatArray:
    """Replace each cell by the mean of its neighbours between two percentiles; height × width.

    Neighbours lie within `FILTER_RADIUS` and weigh as a gaussian of `FILTER_SIGMA`; those beyond
    the border weigh nothing. `low` and `high` are shares of the weight, 0–1.
    """
    radius = FILTER_RADIUS
    taps = gaussian.gaussian_kernel(FILTER_SIGMA, 2 * radius + 1)
    weights = np.broadcast_to(np.outer(taps, taps), (*values.shape, len(taps), len(taps)))
    neighbours = _sliding_windows(np.pad(values.astype(np.float64), radius), radius)
    inside_windows = _sliding_windows(np.pad(np.ones(values.shape), radius), radius)
    flat = (*values.shape, -1)
    neighbours, weights = neighbours.reshape(flat), (weights * inside_windows).reshape(flat)
    order = np.argsort(neighbours, axis=-1, kind="stable")
    neighbours = np.take_along_axis(neighbours, order, axis=-1)
    cumulative_weights = np.cumsum(np.take_along_axis(weights, order, axis=-1), axis=-1)
    total = cumulative_weights[..., -1:]
    preceding_weights = np.concatenate(
        [np.zeros_like(total), cumulative_weights[..., :-1]], axis=-1
    )
    share = np.clip(
        np.minimum(cumulative_weights, high * total) - np.maximum(preceding_weights, low * total),
        0,
        None,
    )
    mean: FloatArray = ((neighbours * share).sum(-1) / share.sum(-1)).astype(np.float32)
    return mean


def _sliding_windows(padded_values: gaussian.Float64Array, radius: int) -> gaussian.Float64Array:
    side = 2 * radius + 1
    return np.lib.stride_tricks.sliding_window_view(padded_values, (side, side))


def _measure_length(latent: Any) -> Any:
    """Give the length of each cell of [C, h, w], whether NumPy's or torch's."""
    return (latent**2).sum(0) ** 0.5
