"""Euler, Euler ancestral and DDIM: one straight step a turn."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from inference.sampling.noise import NoiseSource
from inference.sampling.samplers.core import (
    Sampler,
    Sigmas,
    ancestral_step,
    euler_step,
    to_variance_preserving,
)


def sample_euler(x: Tensor, sigmas: Sigmas, noise: NoiseSource) -> Sampler:
    """Walk the probability flow in straight steps (Karras et al. 2022, algorithm 2, order 1)."""
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield x, sigma
        x = euler_step(x, denoised, sigma, sigma_next)
    return x


def sample_euler_ancestral(
    x: Tensor, sigmas: Sigmas, noise: NoiseSource, eta: float = 1.0
) -> Sampler:
    """Step below each noise level and climb back to it with fresh noise."""
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield x, sigma
        down, up = ancestral_step(sigma, sigma_next, eta)
        x = euler_step(x, denoised, sigma, down)
        if up > 0:
            x = x + up * noise.fresh_noise()
    return x


def sample_ddim(x: Tensor, sigmas: Sigmas, noise: NoiseSource, eta: float = 0.0) -> Sampler:
    """Sample with DDIM (Song et al. 2021a, equation 12): Euler's steps once x is divided by √ᾱ.

    The sigmas end at the first training step, not at 0, so the result is scaled back there.
    """
    x = yield from sample_euler_ancestral(x, sigmas, noise, eta)
    return to_variance_preserving(x, sigmas[-1])
