"""UniPC: a multistep predictor whose steps are corrected by the next call, at no extra cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from inference.sampling.noise import NoiseSource
from inference.sampling.samplers.core import (
    Sampler,
    Sigmas,
    euler_step,
    log_step,
    to_variance_preserving,
)

UNIPC_ORDER = 3

Variant = Literal["bh1", "bh2"]


@dataclass(frozen=True)
class _UniPCStep:
    """One step: its start, the clean latents seen so far (newest first) and their levels."""

    x: Tensor
    x0_history: list[Tensor]
    levels: list[float]
    sigma_next: float
    variant: Variant

    @property
    def solver_order(self) -> int:
        return len(self.x0_history)

    def first_order_latent(self) -> Tensor:
        """Take the first-order part."""
        return euler_step(self.x, self.x0_history[0], self.levels[0], self.sigma_next)

    def step_ratios(self) -> list[float]:
        """Place the older calls on the step's own axis: 0 is its start, 1 its end."""
        h = log_step(self.levels[0], self.sigma_next)
        return [log_step(self.levels[0], level) / h for level in self.levels[1:]]

    def solver_scale(self) -> float:
        """Return B(−h) of the paper's table 1, for a solver that predicts clean latents."""
        h = log_step(self.levels[0], self.sigma_next)
        return -h if self.variant == "bh1" else math.expm1(-h)

    def solve_weights(self, ratios: list[float]) -> list[float]:
        """Solve the order conditions (Zhao et al. 2023, equation 5) for these places."""
        h = -log_step(self.levels[0], self.sigma_next)
        phi = math.expm1(h) / h - 1
        factorial, target = 1, []
        for power in range(1, len(ratios) + 1):
            factorial *= power
            target.append(phi * factorial / self.solver_scale())
            phi = phi / h - 1 / (factorial * (power + 1))
        rows = [[ratio**power for ratio in ratios] for power in range(len(ratios))]
        matrix = torch.tensor(rows, dtype=torch.float64)
        solution = torch.linalg.solve(matrix, torch.tensor(target, dtype=torch.float64))
        return [float(weight) for weight in solution]

    def scaled_differences(self, ratios: list[float]) -> list[Tensor]:
        """Divide the older clean latents' distances from the newest by their places."""
        pairs = zip(self.x0_history[1:], ratios, strict=True)
        return [(older - self.x0_history[0]) / ratio for older, ratio in pairs]

    def predict_latent(self) -> Tensor:
        """Step with what is known (UniP)."""
        ratios = self.step_ratios()
        if not ratios:
            return self.first_order_latent()
        weights = [0.5] if len(ratios) == 1 else self.solve_weights(ratios)
        return self._add_differences(self.scaled_differences(ratios), weights)

    def correct_latent(self, end_x0: Tensor) -> Tensor:
        """Step again, now that the clean latent at the end, ``arrived``, is known (UniC)."""
        ratios = [*self.step_ratios(), 1.0]
        weights = [0.5] if len(ratios) == 1 else self.solve_weights(ratios)
        differences = [*self.scaled_differences(ratios[:-1]), end_x0 - self.x0_history[0]]
        return self._add_differences(differences, weights)

    def _add_differences(self, differences: list[Tensor], weights: list[float]) -> Tensor:
        x = self.first_order_latent()
        for difference, weight in zip(differences, weights, strict=True):
            x = x - difference * (weight * self.solver_scale())
        return x


def sample_unipc(
    x: Tensor,
    sigmas: Sigmas,
    noise: NoiseSource,
    order: int = UNIPC_ORDER,
    variant: Variant = "bh1",
) -> Sampler:
    """Sample with UniPC (Zhao et al. 2023, algorithms 5 and 7) on DDIM's timesteps.

    Orders fall to one at both ends of the run; the result is variance preserving.
    """
    x0_history: list[Tensor] = []
    step: _UniPCStep | None = None
    steps = len(sigmas) - 1
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = yield x, sigma
        if step is not None:
            x = step.correct_latent(denoised)
        x0_history = [denoised, *x0_history]
        usable = min(order, len(x0_history), steps - i)
        levels = [sigmas[i - j] for j in range(usable)]
        step = _UniPCStep(x, x0_history[:usable], levels, sigma_next, variant)
        x = step.predict_latent() if sigma_next > 0 else denoised
        x0_history = x0_history[: order - 1]
    return to_variance_preserving(x, sigmas[-1])
