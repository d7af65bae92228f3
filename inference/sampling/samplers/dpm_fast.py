"""DPM-Solver-fast: third-order steps with as many calls as there are steps."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from inference.sampling.noise import NoiseSource
from inference.sampling.noise_table import linspace
from inference.sampling.samplers.core import Sampler, Sigmas, ancestral_step, to_d


def sample_dpm_fast(x: Tensor, sigmas: Sigmas, noise: NoiseSource, eta: float = 1.0) -> Sampler:
    """Split the calls into steps of three, two and one, even in log sigma.

    Lu et al. 2022a, section 3.4. Only the ends of ``sigmas`` count, both above 0; ``eta`` above 0
    goes below each level and climbs back with fresh noise, never below the last.
    """
    orders = dpm_fast_orders(len(sigmas) - 1)
    start, end = math.log(sigmas[0]), math.log(sigmas[-1])
    levels = [math.exp(log_sigma) for log_sigma in linspace(start, end, len(orders) + 1)]
    levels[-1] = sigmas[-1]
    for order, (sigma, sigma_next) in zip(orders, pairwise(levels), strict=True):
        down = max(ancestral_step(sigma, sigma_next, eta)[0], sigmas[-1])
        x = yield from _STEP_BY_ORDER[order](x, sigma, down)
        if down < sigma_next:
            x = x + math.sqrt(sigma_next**2 - down**2) * noise.fresh_noise()
    return x


def dpm_fast_orders(calls: int) -> list[int]:
    """Return the orders of the steps; they sum to the number of calls."""
    whole, remainder = divmod(calls, 3)
    return [3] * (whole - 1) + [2, 1] if remainder == 0 else [3] * whole + [remainder]


def _first_order_step(x: Tensor, sigma: float, sigma_next: float) -> Sampler:
    """Take DPM-Solver-1 (equation 3.7)."""
    denoised = yield x, sigma
    eps = to_d(x, sigma, denoised)
    return _advance_latent(x, eps, sigma, sigma_next)


def _second_order_step(x: Tensor, sigma: float, sigma_next: float) -> Sampler:
    """Take DPM-Solver-2 with r₁ = 1/2 (algorithm 4)."""
    denoised = yield x, sigma
    eps = to_d(x, sigma, denoised)
    middle = _intermediate_sigma(sigma, sigma_next, 1 / 2)
    half = _advance_latent(x, eps, sigma, middle)
    denoised = yield half, middle
    eps = to_d(half, middle, denoised)
    return _advance_latent(x, eps, sigma, sigma_next)


def take_third_order_step(x: Tensor, sigma: float, sigma_next: float) -> Sampler:
    """Take DPM-Solver-3 with r₁ = 1/3, r₂ = 2/3 (algorithm 5)."""
    h = math.log(sigma / sigma_next)
    sigma_third, sigma_two_thirds = (
        _intermediate_sigma(sigma, sigma_next, 1 / 3),
        _intermediate_sigma(sigma, sigma_next, 2 / 3),
    )
    denoised = yield x, sigma
    eps = to_d(x, sigma, denoised)
    third = _advance_latent(x, eps, sigma, sigma_third)
    denoised = yield third, sigma_third
    change = to_d(third, sigma_third, denoised) - eps
    bend = math.expm1(2 / 3 * h) / (2 / 3 * h) - 1
    two_thirds = _advance_latent(x, eps, sigma, sigma_two_thirds) - change * (
        2 * sigma_two_thirds * bend
    )
    denoised = yield two_thirds, sigma_two_thirds
    last = to_d(two_thirds, sigma_two_thirds, denoised)
    bend = math.expm1(h) / h - 1
    return _advance_latent(x, eps, sigma, sigma_next) - (last - eps) * (1.5 * sigma_next * bend)


_STEP_BY_ORDER = {1: _first_order_step, 2: _second_order_step, 3: take_third_order_step}


def _advance_latent(x: Tensor, eps: Tensor, sigma: float, sigma_next: float) -> Tensor:
    """Follow a fixed noise from level to level: x + (σ' − σ)·eps."""
    return x + eps * (sigma_next - sigma)


def _intermediate_sigma(sigma: float, sigma_next: float, share: float) -> float:
    """Return the level that lies a share of the way in log sigma."""
    return math.pow(sigma, 1 - share) * math.pow(sigma_next, share)
