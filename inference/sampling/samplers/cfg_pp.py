"""CFG++: the guided clean latent, noised again by what the unconditional prediction left over.

Chung et al. 2024 (arXiv 2406.08070), algorithm 2: the next latent is D + σ'·(x − U)/σ, with D the
guided and U the unconditional clean latent, where plain guidance takes D for both. That is the
plain samplers' step from x + D − U. Each coroutine is sent D and U stacked, [2, C, H, W].
"""

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
    log_step,
)


def sample_euler_cfg_pp(x: Tensor, sigmas: Sigmas, noise: NoiseSource) -> Sampler:
    """Walk in straight steps (algorithm 2, without noise)."""
    return sample_euler_ancestral_cfg_pp(x, sigmas, noise, eta=0.0)


def sample_euler_ancestral_cfg_pp(
    x: Tensor, sigmas: Sigmas, noise: NoiseSource, eta: float = 1.0
) -> Sampler:
    """Step below each noise level and climb back to it with fresh noise."""
    for sigma, sigma_next in pairwise(sigmas):
        denoised, unconditional = yield x, sigma
        down, up = ancestral_step(sigma, sigma_next, eta)
        x = euler_step(x + (denoised - unconditional), denoised, sigma, down)
        if up > 0:
            x = x + up * noise.fresh_noise()
    return x


def sample_dpmpp_2s_ancestral_cfg_pp(
    x: Tensor, sigmas: Sigmas, noise: NoiseSource, eta: float = 1.0
) -> Sampler:
    """Step by the guided latent seen half-way, from where the first call's predictions lead."""
    for sigma, sigma_next in pairwise(sigmas):
        down, up = ancestral_step(sigma, sigma_next, eta)
        denoised, unconditional = yield x, sigma
        start = x + (denoised - unconditional)
        if down > 0:
            middle = log_middle(sigma, down)
            denoised, _ = yield euler_step(start, denoised, sigma, middle), middle
        x = euler_step(start, denoised, sigma, down)
        if up > 0:
            x = x + up * noise.fresh_noise()
    return x


def sample_dpmpp_2m_cfg_pp(x: Tensor, sigmas: Sigmas, noise: NoiseSource) -> Sampler:
    """Extrapolate the guided latent away from the last call's unconditional one."""
    last_unconditional: Tensor | None = None
    h_last = 0.0
    for sigma, sigma_next in pairwise(sigmas):
        denoised, unconditional = yield x, sigma
        if sigma_next == 0:
            x = denoised
            break
        h = log_step(sigma, sigma_next)
        ahead = denoised
        if last_unconditional is not None:
            ahead = denoised + (denoised - last_unconditional) * (h / (2 * h_last))
        x = euler_step(x + (denoised - unconditional), ahead, sigma, sigma_next)
        last_unconditional, h_last = unconditional, h
    return x
