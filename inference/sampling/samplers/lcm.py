"""The sampler of latent consistency models."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from inference.sampling.noise import NoiseSource
from inference.sampling.samplers.core import Sampler, Sigmas


def sample_lcm(x: Tensor, sigmas: Sigmas, noise: NoiseSource) -> Sampler:
    """Jump to the clean latent and noise it again to the next level (Luo et al. 2023, algorithm 3).

    The model's boundary scalings are left out: past the first training steps they are 1 and 0 to
    five digits.
    """
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield x, sigma
        x = denoised if sigma_next == 0 else denoised + sigma_next * noise.fresh_noise()
    return x
