"""DPM-Solver-2 and its ancestral form: a step judged by the slope in its middle."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from inference.sampling.noise import NoiseSource
from inference.sampling.samplers.core import (
    Sampler,
    Sigmas,
    ancestral_step,
    euler_step,
    log_middle,
    to_d,
)


def sample_dpm2(x: Tensor, sigmas: Sigmas, noise: NoiseSource) -> Sampler:
    """Walk the probability flow by midpoint steps in log sigma (Lu et al. 2022a, algorithm 1)."""
    return sample_dpm2_ancestral(x, sigmas, noise, eta=0.0)


def sample_dpm2_ancestral(
    x: Tensor, sigmas: Sigmas, noise: NoiseSource, eta: float = 1.0
) -> Sampler:
    """Step by the middle slope to below each level, then climb back with fresh noise."""
    for sigma, sigma_next in pairwise(sigmas):
        down, up = ancestral_step(sigma, sigma_next, eta)
        x = yield from _midpoint_step(x, sigma, down)
        if up > 0:
            x = x + up * noise.fresh_noise()
    return x


def _midpoint_step(x: Tensor, sigma: float, sigma_next: float) -> Sampler:
    denoised = yield x, sigma
    if sigma_next == 0:
        return denoised
    middle = log_middle(sigma, sigma_next)
    half = euler_step(x, denoised, sigma, middle)
    denoised_half = yield half, middle
    return x + to_d(half, middle, denoised_half) * (sigma_next - sigma)
