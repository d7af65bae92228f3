"""Noise levels of networks that predict a flow, in variance-exploding space.

Such a network sees y = (1 − s)·x0 + s·noise, s in (0, 1]. Divided by 1 − s that is x0 + σ·noise
with σ = s/(1 − s), so samplers and rows work as for any other network. Families shift the levels
towards the noise, by a fixed number or by how many tokens a picture has (Esser et al. 2024, section
5.3.2); the rules and their settings are those of diffusers' `FlowMatchEulerDiscreteScheduler`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, Self

from inference.sampling.beta import beta_quantile
from inference.sampling.noise_table import NoiseTable, linspace

#: Stands for s = 1, where σ is infinite: pictures differ from those of s itself by 2e-5.
TOP_SIGMA = 1e6
LEVEL_COUNT = 1000
BETA_SHAPE = 0.6  # as for other networks' schedule of that name

#: How FLUX.2's makers fit the shift to tokens: a line at 10 steps, one at 200, and from so many
#: tokens on the second alone.
FLUX2_LINE_10, FLUX2_LINE_200 = (8.73809524e-05, 1.89833333), (0.00016927, 0.45666666)
FLUX2_MANY_TOKENS = 4300

ShiftKind = Literal["static", "exponential", "linear"]


@dataclass(frozen=True)
class FlowShift:
    """How a family moves its levels towards the noise, as its scheduler's settings say."""

    kind: ShiftKind = "static"
    #: Of the static kind.
    shift: float = 1.0
    #: Of the others: the exponent at the fewest tokens and at the most, a line between.
    base_shift: float = 0.5
    max_shift: float = 1.15
    base_tokens: int = 256
    max_tokens: int = 4096
    #: Level at which a schedule's last step begins; 0 leaves it where it falls.
    terminal: float = 0.0
    #: Whether the exponent depends on the steps too, by FLUX.2's own lines.
    is_flux2: bool = False
    #: Whether the family's own schedule ends at the lowest trained level, shifted, instead of at
    #: one step's share (Stable Diffusion 3).
    ends_at_trained: bool = False

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any],
        *,
        is_flux2: bool = False,
        ends_at_trained: bool = False,
    ) -> Self:
        """Read a folder's scheduler_config.json; absent values are diffusers' own.

        Raises:
            ValueError: a value is no number, or of no use.
        """
        is_dynamic = bool(config.get("use_dynamic_shifting", False))
        kind = str(config.get("time_shift_type") or "exponential") if is_dynamic else "static"
        if kind not in ("static", "exponential", "linear"):
            raise ValueError(f"time_shift_type {kind!r} is not known")
        shift = cls(
            kind=kind,  # type: ignore[arg-type]
            shift=float(config.get("shift", 1.0)),
            base_shift=float(config.get("base_shift") or 0.5),
            max_shift=float(config.get("max_shift") or 1.15),
            base_tokens=int(config.get("base_image_seq_len") or 256),
            max_tokens=int(config.get("max_image_seq_len") or 4096),
            terminal=float(config.get("shift_terminal") or 0.0),
            is_flux2=is_flux2,
            ends_at_trained=ends_at_trained,
        )
        if shift.shift <= 0 or shift.base_tokens == shift.max_tokens or not 0 <= shift.terminal < 1:
            raise ValueError("the scheduler's shift is of no use")
        return shift

    def exponent(self, tokens: int, steps: int) -> float:
        """Give the exponent μ for a picture's tokens and the steps of a whole schedule."""
        if self.is_flux2:
            at_10, at_200 = (
                slope * tokens + start for slope, start in (FLUX2_LINE_10, FLUX2_LINE_200)
            )
            if tokens > FLUX2_MANY_TOKENS:
                return at_200
            return at_200 + (at_10 - at_200) * (200 - steps) / 190
        slope = (self.max_shift - self.base_shift) / (self.max_tokens - self.base_tokens)
        return self.base_shift + slope * (tokens - self.base_tokens)

    def move_level(self, level: float, tokens: int, steps: int) -> float:
        """Move a level s in (0, 1] towards the noise."""
        if self.kind == "static":
            return self.shift * level / (1 + (self.shift - 1) * level)
        exponent = self.exponent(tokens, steps)
        weight = math.exp(exponent) if self.kind == "exponential" else exponent
        return weight / (weight + 1 / level - 1)

    def move_levels(self, levels: Sequence[float], tokens: int, steps: int) -> list[float]:
        """Move a falling schedule, and stretch it so that it ends where the family's do."""
        moved_levels = [self.move_level(level, tokens, steps) for level in levels]
        if not self.terminal or moved_levels[-1] >= 1:
            return moved_levels
        scale = (1 - self.terminal) / (1 - moved_levels[-1])
        return [1 - (1 - level) * scale for level in moved_levels]


@dataclass(frozen=True)
class FlowTable(NoiseTable):
    """A noise table whose timesteps are the network's own s, shifted for one picture's size."""

    shift: FlowShift = FlowShift()
    #: Patches of the picture.
    tokens: int = 4096

    @classmethod
    def of_shift(cls, shift: FlowShift, tokens: int = 4096) -> Self:
        """Lay out the levels of a family for a picture of so many patches."""
        levels = [
            shift.move_level(number / LEVEL_COUNT, tokens, LEVEL_COUNT)
            for number in range(1, LEVEL_COUNT + 1)
        ]
        return cls(tuple(map(level_to_sigma, levels)), shift=shift, tokens=tokens)

    def for_tokens(self, tokens: int) -> FlowTable:
        """Give the table for a picture of so many patches."""
        return self if tokens == self.tokens else FlowTable.of_shift(self.shift, tokens)

    def keep_steps(self, count: int) -> Self:
        """Keep all: what is distilled of these families says so by its schedule."""
        return replace(self)

    def own_levels(self, count: int) -> list[float]:
        """Give the family's own schedule before it is shifted."""
        if not self.shift.ends_at_trained:
            return uniform_levels(count)
        return linspace(1.0, self.shift.move_level(1 / LEVEL_COUNT, self.tokens, count), count)

    def list_sigmas(self, levels: Sequence[float]) -> list[float]:
        """Move a falling schedule of levels s as the family does; give its sigmas."""
        moved_levels = self.shift.move_levels(levels, self.tokens, len(levels))
        return [level_to_sigma(level) for level in moved_levels]


def level_to_sigma(level: float) -> float:
    """Turn s into σ = s/(1 − s), at most `TOP_SIGMA`."""
    return TOP_SIGMA if level >= 1 else min(level / (1 - level), TOP_SIGMA)


def uniform_levels(count: int) -> list[float]:
    """Space s evenly from 1 to 1/count, as the families' own pipelines do."""
    return linspace(1.0, 1 / count, count)


def normal_levels(count: int) -> list[float]:
    """Space s evenly from the highest trained level to the lowest."""
    return linspace(1.0, 1 / LEVEL_COUNT, count)


def simple_levels(count: int) -> list[float]:
    """Take every (1000/count)-th trained level from the highest down."""
    stride = LEVEL_COUNT / count
    return [(LEVEL_COUNT - int(number * stride)) / LEVEL_COUNT for number in range(count)]


def beta_levels(count: int) -> list[float]:
    """Space s by the quantiles of the Beta(.6, .6) distribution: dense at both ends."""
    low = 1 / LEVEL_COUNT
    shares = linspace(1.0, 0.0, count)
    return [low + (1 - low) * beta_quantile(share, BETA_SHAPE, BETA_SHAPE) for share in shares]


#: The schedules that mean something for such networks: those over s. Others space σ or its
#: logarithm, which has no upper end here.
FLOW_SCHEDULES: Mapping[str, Callable[[int], list[float]]] = MappingProxyType(
    {
        "Automatic": uniform_levels,
        "Uniform": uniform_levels,
        "SGM Uniform": uniform_levels,
        "Simple": simple_levels,
        "Normal": normal_levels,
        "Beta": beta_levels,
    }
)
