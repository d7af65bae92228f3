"""How the denoising strength goes from the first loop to the last."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

#: Name of a curve → f(p), where p runs from 0 at the first loop to 1 at the last and so does f.
STRENGTH_CURVES: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "linear": lambda p: p,
        "aggressive": lambda p: math.sin(p * math.pi / 2),
        "lazy": lambda p: 1 - math.cos(p * math.pi / 2),
    }
)


def loop_strengths(first: float, last: float, loops: int, curve: str = "linear") -> list[float]:
    """Return the denoising strength of each loop, 0–1; one loop has the first strength.

    Raises:
        ValueError: fewer than one loop, or no such curve.
    """
    if loops < 1:
        raise ValueError(f"Loopback needs at least 1 loop, got {loops}.")
    if curve not in STRENGTH_CURVES:
        raise ValueError(f"There is no curve “{curve}”; use {', '.join(STRENGTH_CURVES)}.")
    if loops == 1:
        return [first]
    shape = STRENGTH_CURVES[curve]
    return [first + (last - first) * shape(index / (loops - 1)) for index in range(loops)]
