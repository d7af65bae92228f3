"""A Brownian path over noise levels that can be asked anywhere, in any order."""

from __future__ import annotations

import math
from hashlib import blake2b

import torch
from torch import Tensor

LOWEST = 2.0**-10  # below the first training step of any known network (0.029)
HIGHEST = 2.0**14  # above the last one of a zero-terminal-SNR network (4518.8)
DEPTH = 16  # 2^16 cells: neighbours differ by 0.025 % in sigma, finer than any schedule of 1,000

_CELLS = 1 << DEPTH
_LOG_LOWEST = math.log2(LOWEST)
_LOG_SPAN = math.log2(HIGHEST) - _LOG_LOWEST


class BrownianPath:
    """A virtual Brownian tree: W(sigma) with W independent of which points are asked, or when.

    The path is fixed by the seed alone. Its value at a grid point comes from bisecting the grid of
    2^16 cells, evenly spaced in log sigma; each midpoint is drawn from the Brownian bridge between
    its neighbours with a generator seeded by its place (Li et al. 2020, "Scalable Gradients for
    Stochastic Differential Equations", section 4). Steps in a schedule of another length walk the
    same path, so a picture keeps its composition when only the number of steps changes.
    """

    def __init__(self, seed: int, shape: tuple[int, ...]) -> None:
        self._seed = seed
        self._shape = shape
        self._generator = torch.Generator()
        top = self._normal(0, 0) * math.sqrt(HIGHEST - LOWEST)
        self._ends = (torch.zeros(shape), top)
        self._trail: dict[tuple[int, int], Tensor] = {}

    def increment(self, sigma_from: float, sigma_to: float) -> Tensor:
        """Return (W(from) − W(to))/√|from − to|: float32 of the path's shape, unit variance.

        The levels are moved to the grid; two inside one cell use that whole cell.
        """
        a, b = _cell(sigma_from), _cell(sigma_to)
        if a == b:
            a, b = (a + 1, b) if a < _CELLS else (a, b - 1)
        return (self._value(a) - self._value(b)) / math.sqrt(abs(_sigma(a) - _sigma(b)))

    def _value(self, cell: int) -> Tensor:
        """Descend from the whole interval to a grid point, drawing the midpoints on the way."""
        low, high = 0, _CELLS
        at_low, at_high = self._ends
        if cell in (low, high):
            return at_low if cell == low else at_high
        trail: dict[tuple[int, int], Tensor] = {}
        while True:
            key = (low, high)
            found = self._trail.get(key)
            trail[key] = middle = (
                self._bridge(low, high, at_low, at_high) if found is None else found
            )
            mid = (low + high) // 2
            if cell == mid:
                self._trail = trail  # the next question is usually near: keep this descent only
                return middle
            if cell < mid:
                high, at_high = mid, middle
            else:
                low, at_low = mid, middle

    def _bridge(self, low: int, high: int, at_low: Tensor, at_high: Tensor) -> Tensor:
        """Draw W(m) at the middle given both ends: variance (m − a)(b − m)/(b − a)."""
        a, m, b = _sigma(low), _sigma((low + high) // 2), _sigma(high)
        mean = torch.lerp(at_low, at_high, (m - a) / (b - a))
        return mean + self._normal(low, high) * math.sqrt((m - a) * (b - m) / (b - a))

    def _normal(self, low: int, high: int) -> Tensor:
        place = f"{self._seed}/{low}/{high}".encode()
        seed = int.from_bytes(blake2b(place, digest_size=4).digest(), "big")
        return torch.randn(self._shape, generator=self._generator.manual_seed(seed))


def _cell(sigma: float) -> int:
    place = (math.log2(sigma) - _LOG_LOWEST) / _LOG_SPAN
    return round(min(max(place, 0.0), 1.0) * _CELLS)


def _sigma(cell: int) -> float:
    return math.exp2(_LOG_LOWEST + _LOG_SPAN * cell / _CELLS)
