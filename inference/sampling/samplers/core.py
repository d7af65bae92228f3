"""What every sampler shares: its shape, and the steps they have in common.

A sampler is a coroutine over one row, the paper's loop with the network taken out: it yields
``(x, sigma)``, is sent the network's picture of the clean latent x0, and returns the final latent.
``x`` is [C, H, W], any float type, in variance-exploding space x = x0 + sigma·noise; sigmas are
plain floats. One yield is one network call. A sampler of CFG++ is sent two stacked, [2, C, H, W]:
the guided x0 and the unconditional one.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence

from torch import Tensor

Sampler = Generator[tuple[Tensor, float], Tensor, Tensor]
Sigmas = Sequence[float]


def to_d(x: Tensor, sigma: float, denoised: Tensor) -> Tensor:
    """Return the slope dx/dσ of the probability flow (Karras et al. 2022, equation 4)."""
    return (x - denoised) / sigma


def euler_step(x: Tensor, denoised: Tensor, sigma: float, sigma_next: float) -> Tensor:
    """Follow the slope from sigma to sigma_next, which may be 0 (then it is ``denoised``).

    x + (σ' − σ)·(x − x0)/σ, written as the mix (σ'/σ)·x + (1 − σ'/σ)·x0. The same line is DDIM
    without noise and DPM-Solver++'s first-order step (Lu et al. 2022b, equation 9).
    """
    return mix_latents(denoised, x, sigma_next / sigma)


def mix_latents(start: Tensor, end: Tensor, weight: float) -> Tensor:
    """Return start + weight·(end − start), exact at weight 0."""
    return start.lerp(end, weight)


def ancestral_step(sigma_from: float, sigma_to: float, eta: float = 1.0) -> tuple[float, float]:
    """Split a step into (sigma to step down to, sigma of the fresh noise added afterwards).

    down² + up² = to²; eta 0 adds nothing, eta 1 is the DDPM posterior's variance
    (Song et al. 2021a, equation 16, in variance-exploding space).
    """
    variance = sigma_to**2 * (sigma_from**2 - sigma_to**2) / sigma_from**2
    up = min(sigma_to, eta * math.sqrt(max(variance, 0.0)))
    return math.sqrt(sigma_to**2 - up**2), up


def log_middle(sigma_from: float, sigma_to: float) -> float:
    """Return the noise level halfway in log sigma."""
    return math.sqrt(sigma_from * sigma_to)


def log_step(sigma: float, sigma_next: float) -> float:
    """Return h = λ' − λ, the step in log signal-to-noise, λ = −log σ (Lu et al. 2022a)."""
    return math.log(sigma / sigma_next)


def to_variance_preserving(x: Tensor, sigma: float) -> Tensor:
    """Scale x0 + σ·noise to unit total variance: divide by √(1 + σ²)."""
    return x / math.sqrt(1 + sigma**2)
