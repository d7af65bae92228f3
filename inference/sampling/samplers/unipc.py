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

ORDER = 3

Variant = Literal["bh1", "bh2"]


@dataclass(frozen=True)
class _Step:
    """One step: its start, the clean latents seen so far (newest first) and their levels."""

    x: Tensor
    seen: list[Tensor]
    levels: list[float]
    sigma_next: float
    variant: Variant

    @property
    def order(self) -> int:
        return len(self.seen)

    def base(self) -> Tensor:
        """Take the first-order part."""
        return euler_step(self.x, self.seen[0], self.levels[0], self.sigma_next)

    def ratios(self) -> list[float]:
        """Place the older calls on the step's own axis: 0 is its start, 1 its end."""
        h = log_step(self.levels[0], self.sigma_next)
        return [log_step(self.levels[0], level) / h for level in self.levels[1:]]

    def scale(self) -> float:
        """Return B(−h) of the paper's table 1, for a solver that predicts clean latents."""
        h = log_step(self.levels[0], self.sigma_next)
        return -h if self.variant == "bh1" else math.expm1(-h)

    def weights(self, ratios: list[float]) -> list[float]:
        """Solve the order conditions (Zhao et al. 2023, equation 5) for these places."""
        h = -log_step(self.levels[0], self.sigma_next)
        phi = math.expm1(h) / h - 1
        factorial, target = 1, []
        for power in range(1, len(ratios) + 1):
            factorial *= power
            target.append(phi * factorial / self.scale())
            phi = phi / h - 1 / (factorial * (power + 1))
        rows = [[ratio**power for ratio in ratios] for power in range(len(ratios))]
        matrix = torch.tensor(rows, dtype=torch.float64)
        solved = torch.linalg.solve(matrix, torch.tensor(target, dtype=torch.float64))
        return [float(weight) for weight in solved]

    def differences(self, ratios: list[float]) -> list[Tensor]:
        """Divide the older clean latents' distances from the newest by their places."""
        pairs = zip(self.seen[1:], ratios, strict=True)
        return [(older - self.seen[0]) / ratio for older, ratio in pairs]

    def predict(self) -> Tensor:
        """Step with what is known (UniP)."""
        ratios = self.ratios()
        if not ratios:
            return self.base()
        weights = [0.5] if len(ratios) == 1 else self.weights(ratios)
        return self._add(self.differences(ratios), weights)

    def correct(self, arrived: Tensor) -> Tensor:
        """Step again, now that the clean latent at the end, ``arrived``, is known (UniC)."""
        ratios = [*self.ratios(), 1.0]
        weights = [0.5] if len(ratios) == 1 else self.weights(ratios)
        differences = [*self.differences(ratios[:-1]), arrived - self.seen[0]]
        return self._add(differences, weights)

    def _add(self, differences: list[Tensor], weights: list[float]) -> Tensor:
        x = self.base()
        for difference, weight in zip(differences, weights, strict=True):
            x = x - difference * (weight * self.scale())
        return x


def unipc(
    x: Tensor, sigmas: Sigmas, noise: NoiseSource, order: int = ORDER, variant: Variant = "bh1"
) -> Sampler:
    """Sample with UniPC (Zhao et al. 2023, algorithms 5 and 7) on DDIM's timesteps.

    Orders fall to one at both ends of the run; the result is variance preserving.
    """
    seen: list[Tensor] = []
    step: _Step | None = None
    steps = len(sigmas) - 1
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = yield x, sigma
        if step is not None:
            x = step.correct(denoised)
        seen = [denoised, *seen]
        usable = min(order, len(seen), steps - i)
        levels = [sigmas[i - j] for j in range(usable)]
        step = _Step(x, seen[:usable], levels, sigma_next, variant)
        x = step.predict() if sigma_next > 0 else denoised
        seen = seen[: order - 1]
    return to_variance_preserving(x, sigmas[-1])
