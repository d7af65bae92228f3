"""Linear multistep methods on the slope: LMS and PLMS."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from inference.sampling.noise import NoiseSource
from inference.sampling.samplers.core import (
    Sampler,
    Sigmas,
    to_d,
    to_variance_preserving,
)

LMS_ORDER = 4

#: Adams–Bashforth weights of the newest slope first, for two to four slopes of equal steps.
ADAMS_BASHFORTH = {
    2: (3 / 2, -1 / 2),
    3: (23 / 12, -16 / 12, 5 / 12),
    4: (55 / 24, -59 / 24, 37 / 24, -9 / 24),
}


def sample_lms(x: Tensor, sigmas: Sigmas, noise: NoiseSource) -> Sampler:
    """Integrate the polynomial through the last four slopes (Adams–Bashforth, uneven steps)."""
    slopes: list[Tensor] = []
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = yield x, sigma
        slopes = [to_d(x, sigma, denoised), *slopes[: LMS_ORDER - 1]]
        nodes = [sigmas[i - j] for j in range(len(slopes))]
        x = x + weighted_sum(slopes, lms_weights(nodes, sigma, sigma_next))
    return x


def lms_weights(nodes: list[float], start: float, end: float) -> list[float]:
    """Integrate each Lagrange polynomial of up to four nodes from start to end.

    Two-point Gauss quadrature, which is exact for the cubics met here.
    """
    centre, half = (start + end) / 2, (end - start) / 2
    points = (centre - half / math.sqrt(3), centre + half / math.sqrt(3))
    return [half * sum(_lagrange_value(nodes, j, at) for at in points) for j in range(len(nodes))]


def sample_plms(x: Tensor, sigmas: Sigmas, noise: NoiseSource) -> Sampler:
    """Sample with pseudo linear multisteps on DDIM's timesteps (Liu et al. 2022, algorithm 2).

    The first step is an improved Euler step and calls twice; the result is variance preserving.
    """
    slopes: list[Tensor] = []
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield x, sigma
        slopes = [to_d(x, sigma, denoised), *slopes[:3]]
        if len(slopes) == 1:
            trial_x = x + slopes[0] * (sigma_next - sigma)
            denoised = yield trial_x, sigma_next
            slope = (slopes[0] + to_d(trial_x, sigma_next, denoised)) / 2
        else:
            slope = weighted_sum(slopes, ADAMS_BASHFORTH[len(slopes)])
        x = x + slope * (sigma_next - sigma)
    return to_variance_preserving(x, sigmas[-1])


def weighted_sum(slopes: list[Tensor], weights: list[float] | tuple[float, ...]) -> Tensor:
    """Return Σ weight·slope; both newest first, of equal length."""
    total = slopes[0] * weights[0]
    for slope, weight in zip(slopes[1:], weights[1:], strict=True):
        total = total + slope * weight
    return total


def _lagrange_value(nodes: list[float], j: int, at: float) -> float:
    """Evaluate the polynomial that is 1 at node j and 0 at the others."""
    other_nodes = (node for k, node in enumerate(nodes) if k != j)
    return math.prod((at - node) / (nodes[j] - node) for node in other_nodes)
