"""The noise levels a network was trained on, and the way between them and its timesteps."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from operator import mul
from typing import Any, Literal, Self

ModelFamily = Literal["sd", "sdxl"]

#: Cumulative alpha that stands for zero at the last training step of a zero-terminal-SNR network:
#: sigma becomes 4518.8 instead of infinite, far above any picture and still exact in float32.
TERMINAL_ALPHA = 4.8973451890853435e-08

BETA_START = 0.00085  # latent diffusion's published training noise
BETA_END = 0.012
TRAIN_STEPS = 1000


@dataclass(frozen=True)
class NoiseTable:
    """Map the network's timesteps to sigmas and back.

    ``sigmas`` ascends, one entry a training step, each positive; sigma = √((1 − ᾱ)/ᾱ), the noise
    level in variance-exploding space, x = x0 + sigma·noise (Karras et al. 2022, appendix C.1).
    ``family`` picks the published Align Your Steps levels.
    """

    sigmas: tuple[float, ...]
    family: ModelFamily = "sd"

    def __post_init__(self) -> None:
        pairs = zip(self.sigmas, self.sigmas[1:], strict=False)
        if len(self.sigmas) < 2 or self.sigmas[0] <= 0 or any(a >= b for a, b in pairs):
            raise ValueError("a noise table needs two or more positive, strictly rising sigmas")

    @classmethod
    def from_alphas_cumprod(
        cls, alphas: Iterable[float], *, family: ModelFamily = "sd", zero_terminal_snr: bool = False
    ) -> Self:
        """Build the table from the cumulative products ᾱ, falling, in (0, 1)."""
        bars = rescale_zero_terminal_snr(list(alphas)) if zero_terminal_snr else list(alphas)
        return cls(tuple(math.sqrt((1 - bar) / bar) for bar in bars), family)

    @classmethod
    def from_betas(
        cls, betas: Iterable[float], *, family: ModelFamily = "sd", zero_terminal_snr: bool = False
    ) -> Self:
        """Build the table from the variances of the training steps, each in (0, 1)."""
        bars = accumulate((1 - beta for beta in betas), mul)
        return cls.from_alphas_cumprod(bars, family=family, zero_terminal_snr=zero_terminal_snr)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], *, family: ModelFamily = "sd") -> Self:
        """Read the values of a model folder's scheduler_config.json; absent ones are SD's own.

        Raises:
            ValueError: the file names a beta schedule other than linear or scaled_linear.
        """
        zero = bool(config.get("rescale_betas_zero_snr", False))
        betas = config.get("trained_betas") or _training_betas(config)
        return cls.from_betas(betas, family=family, zero_terminal_snr=zero)

    @property
    def sigma_min(self) -> float:
        """Lowest trained noise level."""
        return self.sigmas[0]

    @property
    def sigma_max(self) -> float:
        """Highest trained noise level."""
        return self.sigmas[-1]

    @cached_property
    def log_sigmas(self) -> tuple[float, ...]:
        """Natural logarithms of the sigmas, ascending."""
        return tuple(map(math.log, self.sigmas))

    def keep_steps(self, count: int) -> Self:
        """Keep ``count`` evenly spaced training steps, of which the highest is one."""
        stride = max(len(self.sigmas) // count, 1)
        return type(self)(self.sigmas[::-1][::stride][::-1], self.family)

    def sigma_to_t(self, sigma: float) -> float:
        """Return the unrounded timestep of a noise level, in [0, len − 1], linear in log sigma."""
        if sigma <= self.sigma_min:
            return 0.0
        logs = self.log_sigmas
        low = min(bisect_right(logs, math.log(sigma)) - 1, len(logs) - 2)
        fraction = (math.log(sigma) - logs[low]) / (logs[low + 1] - logs[low])
        return low + min(max(fraction, 0.0), 1.0)

    def t_to_sigma(self, t: float) -> float:
        """Return the noise level of a timestep, whole or between two; outside ones are clamped."""
        t = min(max(t, 0.0), len(self.sigmas) - 1.0)
        low = int(t)
        if t == low:
            return self.sigmas[low]
        logs = self.log_sigmas
        return math.exp(logs[low] + (t - low) * (logs[low + 1] - logs[low]))


def rescale_zero_terminal_snr(alphas: Sequence[float]) -> list[float]:
    """Shift and scale √ᾱ so that the last training step is pure noise and the first is kept.

    Lin et al. 2024, "Common Diffusion Noise Schedules and Sample Steps are Flawed", algorithm 1,
    with :data:`TERMINAL_ALPHA` in place of the final zero.
    """
    roots = [math.sqrt(bar) for bar in alphas]
    first, last = roots[0], roots[-1]
    bars = [((root - last) * first / (first - last)) ** 2 for root in roots]
    return [*bars[:-1], TERMINAL_ALPHA]


def _training_betas(config: Mapping[str, Any]) -> list[float]:
    count = int(config.get("num_train_timesteps", TRAIN_STEPS))
    start = float(config.get("beta_start", BETA_START))
    end = float(config.get("beta_end", BETA_END))
    match config.get("beta_schedule", "scaled_linear"):
        case "linear":
            return linspace(start, end, count)
        case "scaled_linear":
            return [root**2 for root in linspace(math.sqrt(start), math.sqrt(end), count)]
        case other:
            raise ValueError(
                f"beta_schedule {other!r} is not known; use 'linear' or 'scaled_linear', "
                "or give trained_betas"
            )


def linspace(start: float, end: float, count: int) -> list[float]:
    """Return ``count`` evenly spaced values from start to end, both included; one is the start."""
    if count == 1:
        return [start]
    step = (end - start) / (count - 1)
    return [*(start + step * i for i in range(count - 1)), end]
