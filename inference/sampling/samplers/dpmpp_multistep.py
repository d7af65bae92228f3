"""DPM-Solver++ over several steps of one call: 2M, 2M SDE and 3M SDE.

h is the step in log signal-to-noise. The first-order part of every step is the mix
ρ·x + (1 − ρ)·x0, ρ = e^(−h − ηh); at η = 0 that is Euler's step.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

from torch import Tensor

from inference.sampling.noise import NoiseSource
from inference.sampling.samplers.core import Sampler, Sigmas, euler_step, log_step, mix_latents

Solver = Literal["midpoint", "heun"]


def sample_dpmpp_2m(x: Tensor, sigmas: Sigmas, noise: NoiseSource) -> Sampler:
    """Extrapolate the clean latent from the last two calls (Lu et al. 2022b, algorithm 2)."""
    last: Tensor | None = None
    h_last = 0.0
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield x, sigma
        if sigma_next == 0:
            return denoised
        h = log_step(sigma, sigma_next)
        x = dpmpp_2m_step(x, denoised, last, sigma, sigma_next, h_last / h)
        last, h_last = denoised, h
    return x


def dpmpp_2m_step(
    x: Tensor, denoised: Tensor, last: Tensor | None, sigma: float, sigma_next: float, r: float
) -> Tensor:
    """Take one 2M step; ``last`` is the clean latent of r steps' length before (None: order 1)."""
    ahead = denoised if last is None else mix_latents(denoised, last, -1 / (2 * r))
    return euler_step(x, ahead, sigma, sigma_next)


def sample_dpmpp_2m_sde(
    x: Tensor, sigmas: Sigmas, noise: NoiseSource, eta: float = 1.0, solver: Solver = "midpoint"
) -> Sampler:
    """Solve the reverse SDE at second order (SDE-DPM-Solver++(2M), Lu et al. 2022b, appendix D)."""
    last: Tensor | None = None
    h_last = 0.0
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield x, sigma
        if sigma_next == 0:
            return denoised
        h = log_step(sigma, sigma_next)
        decay = h * (1 + eta)
        x = mix_latents(denoised, x, math.exp(-decay))
        if last is not None:
            half = -math.expm1(-decay) / 2 if solver == "midpoint" else _phi_2(decay)
            x = x + (half * h / h_last) * (denoised - last)
        x = _add_sde_noise(x, sigma, sigma_next, h * eta, noise)
        last, h_last = denoised, h
    return x


def sample_dpmpp_2m_sde_heun(x: Tensor, sigmas: Sigmas, noise: NoiseSource) -> Sampler:
    """Solve as `sample_dpmpp_2m_sde`, its second-order term integrated as in Heun's method."""
    return sample_dpmpp_2m_sde(x, sigmas, noise, solver="heun")


def sample_dpmpp_3m_sde(x: Tensor, sigmas: Sigmas, noise: NoiseSource, eta: float = 1.0) -> Sampler:
    """Solve the reverse SDE at third order, from the clean latents of the last three calls."""
    history: list[tuple[Tensor, float]] = []  # (clean latent, length of the step it began)
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield x, sigma
        if sigma_next == 0:
            return denoised
        h = log_step(sigma, sigma_next)
        decay = h * (1 + eta)
        x = mix_latents(denoised, x, math.exp(-decay)) + _curvature_terms(
            denoised, history, h, decay
        )
        x = _add_sde_noise(x, sigma, sigma_next, h * eta, noise)
        history = [(denoised, h), *history[:1]]
    return x


def _curvature_terms(
    denoised: Tensor, history: list[tuple[Tensor, float]], h: float, decay: float
) -> Tensor | float:
    """Return what the first and second differences of the clean latent add to a step."""
    if not history:
        return 0.0
    (last, h_1), older = history[0], history[1:]
    slope = (denoised - last) * (h / h_1)
    phi_2 = _phi_2(decay)
    if not older:
        return phi_2 * slope
    second_last, h_2 = older[0]
    slope_before = (last - second_last) * (h / h_2)
    bend = (slope - slope_before) * (h / (h_1 + h_2))
    slope = slope + bend * (h_1 / h)
    return phi_2 * slope - (phi_2 / decay - 0.5) * bend


def _phi_2(decay: float) -> float:
    """Return 1 + (e^(−d) − 1)/d: the weight of a slope that grows through the step."""
    return math.expm1(-decay) / decay + 1


def _add_sde_noise(
    x: Tensor, sigma: float, sigma_next: float, climb: float, noise: NoiseSource
) -> Tensor:
    """Add the SDE's noise, σ'·√(1 − e^(−2ηh)) of the Brownian path; ``climb`` is η·h."""
    if climb == 0:
        return x
    return x + noise.brownian_noise(sigma, sigma_next) * (
        sigma_next * math.sqrt(-math.expm1(-2 * climb))
    )
