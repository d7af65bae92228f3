"""DPM-Solver++ in single steps of two calls: 2S ancestral and SDE."""

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
)


def sample_dpmpp_2s_ancestral(
    x: Tensor, sigmas: Sigmas, noise: NoiseSource, eta: float = 1.0
) -> Sampler:
    """Step by the clean latent seen half-way (Lu et al. 2022b, algorithm 1, r = 1/2), ancestral."""
    for sigma, sigma_next in pairwise(sigmas):
        down, up = ancestral_step(sigma, sigma_next, eta)
        denoised = yield x, sigma
        if down > 0:
            middle = log_middle(sigma, down)
            denoised = yield euler_step(x, denoised, sigma, middle), middle
        x = euler_step(x, denoised, sigma, down)
        if up > 0:
            x = x + up * noise.fresh_noise()
    return x


def sample_dpmpp_sde(x: Tensor, sigmas: Sigmas, noise: NoiseSource, eta: float = 1.0) -> Sampler:
    """Solve the reverse SDE with a noisy half-way point, both noises from one Brownian path.

    The stochastic form of DPM-Solver++(2S) with r = 1/2 (Lu et al. 2022b, appendix D).
    """
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield x, sigma
        if sigma_next > 0:
            middle = log_middle(sigma, sigma_next)
            half = _noisy_step(x, denoised, sigma, middle, noise, eta)
            denoised = yield half, middle
        x = _noisy_step(x, denoised, sigma, sigma_next, noise, eta)
    return x


def _noisy_step(
    x: Tensor, denoised: Tensor, sigma: float, sigma_next: float, noise: NoiseSource, eta: float
) -> Tensor:
    """Step below sigma_next and climb to it along the Brownian path."""
    down, up = ancestral_step(sigma, sigma_next, eta)
    x = euler_step(x, denoised, sigma, down)
    return x + up * noise.brownian_noise(sigma, sigma_next) if up > 0 else x
