"""DPM-Solver with steps as long as its own error allows."""

from __future__ import annotations

import math
from collections.abc import Generator

import torch
from torch import Tensor

from inference.sampling.noise import NoiseSource
from inference.sampling.samplers.core import Sampler, Sigmas, ancestral_step, to_d
from inference.sampling.samplers.dpm_fast import take_third_order_step

ABSOLUTE_TOLERANCE = 0.0078
RELATIVE_TOLERANCE = 0.05
FIRST_STEP = 0.05  # in log sigma
ACCEPTED_FACTOR = 0.81  # a step whose successor would have to be shorter than this is taken again
#: Orders by which an error becomes a step: of the solver, and of the noise between steps.
SOLVER_ORDER, NOISE_ORDER = 3.0, 1.5
#: Tries of three calls, after which the rest is walked in one: a picture needs 20 to 50.
MAX_TRIES = 100
END_TOLERANCE = 1e-5  # in log sigma


def sample_dpm_adaptive(x: Tensor, sigmas: Sigmas, noise: NoiseSource, eta: float = 1.0) -> Sampler:
    """Step by DPM-Solver-3, each step as long as its distance from DPM-Solver-2 allows.

    Lu et al. 2022a, appendix C, with the integral part of a PID controller. Only the ends of
    ``sigmas`` count, both above 0; ``eta`` above 0 climbs back with fresh noise after each step.
    """
    sigma, end = sigmas[0], sigmas[-1]
    length, order, last_rough = FIRST_STEP, NOISE_ORDER if eta else SOLVER_ORDER, x
    for number in range(MAX_TRIES):
        if math.log(sigma / end) <= END_TOLERANCE:
            break
        is_last = number == MAX_TRIES - 1
        sigma_next = end if is_last else max(end, sigma * math.exp(-length))
        down = max(ancestral_step(sigma, sigma_next, eta)[0], end)
        rough, fine = yield from _step_twice(x, sigma, down)
        tolerance = (RELATIVE_TOLERANCE * torch.maximum(rough.abs(), last_rough.abs())).clamp_min(
            ABSOLUTE_TOLERANCE
        )
        error = float(((rough - fine) / tolerance).square().mean().sqrt())
        if not math.isfinite(error):
            return fine  # no picture any more, which is said when it is decoded
        factor = 1 + math.atan((1 / (error + 1e-8)) ** (1 / order) - 1)
        length *= factor
        if factor >= ACCEPTED_FACTOR or is_last:
            last_rough, x, sigma = rough, fine, sigma_next
            if down < sigma_next:
                x = x + math.sqrt(sigma_next**2 - down**2) * noise.fresh_noise()
    return x


def _step_twice(
    x: Tensor, sigma: float, sigma_next: float
) -> Generator[tuple[Tensor, float], Tensor, tuple[Tensor, Tensor]]:
    """Take a step at second order (r₁ = 1/3) and at third, from the same three calls."""
    slopes: list[Tensor] = []
    solver = take_third_order_step(x, sigma, sigma_next)
    asked_x, asked_sigma = next(solver)
    while True:
        denoised = yield asked_x, asked_sigma
        slopes.append(to_d(asked_x, asked_sigma, denoised))
        try:
            asked_x, asked_sigma = solver.send(denoised)
        except StopIteration as finished:
            slope = slopes[0] + 1.5 * (slopes[1] - slopes[0])
            return x + slope * (sigma_next - sigma), finished.value
