"""The latent a run starts from: pure noise, or a picture's latent with noise over it."""

from __future__ import annotations

import math

from torch import Tensor

from inference.sampling.step_plan import SigmaPlan


def from_noise(plan: SigmaPlan, noise: Tensor) -> Tensor:
    """Scale unit noise [C, H, W] to the plan's first noise level.

    Timestep samplers take the noise as the whole variance-preserving latent.
    """
    first = plan.sigmas[0]
    return noise * (math.sqrt(1 + first**2) if plan.variance_preserving else first)


def from_latent(
    plan: SigmaPlan, latent: Tensor, noise: Tensor, *, multiplier: float = 1.0, extra: float = 0.0
) -> Tensor:
    """Noise a picture's latent [C, H, W] to the plan's first level, in variance-exploding space.

    ``multiplier`` (0 to 1.5) scales the noise, ``extra`` adds that much more of it. A plan without
    steps gives the latent back.
    """
    if not plan.sigmas:
        return latent
    noised_latent = latent + noise * (multiplier * (plan.noise_sigma + extra))
    if plan.noise_sigma == plan.sigmas[0]:
        return noised_latent
    return noised_latent * math.sqrt((1 + plan.sigmas[0] ** 2) / (1 + plan.noise_sigma**2))
