"""Heun's method, and Restart, which walks part of its way twice."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor

from inference.sampling.noise import NoiseSource
from inference.sampling.noise_table import linspace
from inference.sampling.samplers.core import Sampler, Sigmas, euler_step, to_d
from inference.sampling.schedules import KARRAS_RHO

RESTART_LOW, RESTART_HIGH = 0.1, 2.0  # the stretch of sigma walked again
RESTART_FROM = 20  # steps a run needs before any of them is worth spending on a restart
RESTART_STEPS = 9  # steps of one walk in a run of 20 to 35
RESTART_TWICE_FROM = 36  # from here on: two walks, each a quarter of the run


def sample_heun(x: Tensor, sigmas: Sigmas, noise: NoiseSource) -> Sampler:
    """Correct each Euler step by the slope at its end (Karras et al. 2022, algorithm 1)."""
    for sigma, sigma_next in pairwise(sigmas):
        x = yield from heun_step(x, sigma, sigma_next)
    return x


def heun_step(x: Tensor, sigma: float, sigma_next: float) -> Sampler:
    """Take one step of two calls, or of one when it ends at 0."""
    denoised = yield x, sigma
    predicted_x = euler_step(x, denoised, sigma, sigma_next)
    if sigma_next == 0:
        return predicted_x
    denoised_next = yield predicted_x, sigma_next
    slope = to_d(x, sigma, denoised) + to_d(predicted_x, sigma_next, denoised_next)
    return x + slope * ((sigma_next - sigma) / 2)


def sample_restart(x: Tensor, sigmas: Sigmas, noise: NoiseSource) -> Sampler:
    """Go back up with fresh noise at sigma 0.1 and come down again, in as many steps as asked.

    Xu et al. 2023, "Restart Sampling for Improving Generative Processes", algorithm 1.
    """
    reached_sigma = sigmas[0]
    for sigma, sigma_next in restart_steps(sigmas):
        if sigma > reached_sigma:
            x = x + noise.fresh_noise() * math.sqrt(sigma**2 - reached_sigma**2)
        x = yield from heun_step(x, sigma, sigma_next)
        reached_sigma = sigma_next
    return x


def restart_steps(sigmas: Sigmas) -> Iterator[tuple[float, float]]:
    """Yield each step's two levels; a step that starts above the last one's end is a restart.

    The first walk gives up the steps that the later ones spend, on Karras' spacing between its
    ends. Runs too short, and runs that never cross sigma 0.1, are walked once as they are.
    """
    steps = len(sigmas) - 1
    walks = 2 if steps >= RESTART_TWICE_FROM else 1
    steps_per_walk = steps // 4 if steps >= RESTART_TWICE_FROM else RESTART_STEPS
    if steps < RESTART_FROM or sigmas[-1] > 0:
        yield from pairwise(sigmas)
        return
    first = _karras_sigmas(steps - steps_per_walk * walks, sigmas[0], sigmas[-2])
    low, high = _nearest_index(first, RESTART_LOW), _nearest_index(first, RESTART_HIGH)
    if high >= low:
        yield from pairwise(sigmas)
        return
    yield from pairwise(first[: low + 1])
    for _ in range(walks):
        yield from pairwise(_karras_sigmas(steps_per_walk + 1, first[high], first[low]))
    yield from pairwise([*first[low:], 0.0])


def _karras_sigmas(n: int, high: float, low: float) -> list[float]:
    roots = linspace(math.pow(high, 1 / KARRAS_RHO), math.pow(low, 1 / KARRAS_RHO), n)
    return [root**KARRAS_RHO for root in roots]


def _nearest_index(levels: list[float], sigma: float) -> int:
    return min(range(len(levels)), key=lambda i: abs(levels[i] - sigma))
