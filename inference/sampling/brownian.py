"""A Brownian path over noise levels that can be asked anywhere, in any order."""

from __future__ import annotations

import math
from hashlib import blake2b

import torch
from torch import Tensor

MIN_TREE_SIGMA = 2.0**-10  # below the first training step of any known network (0.029)
MAX_TREE_SIGMA = 2.0**14  # above the last one of a zero-terminal-SNR network (4518.8)
#: 2^16 cells: neighbours differ by 0.025 % in sigma, finer than any schedule of 1,000.
TREE_DEPTH = 16

_CELL_COUNT = 1 << TREE_DEPTH
_LOG_MIN_SIGMA = math.log2(MIN_TREE_SIGMA)
_LOG_SPAN = math.log2(MAX_TREE_SIGMA) - _LOG_MIN_SIGMA


class BrownianTree:
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
        top = self._draw_normal(0, 0) * math.sqrt(MAX_TREE_SIGMA - MIN_TREE_SIGMA)
        self._ends = (torch.zeros(shape), top)
        self._trail: dict[tuple[int, int], Tensor] = {}

    def scaled_increment(self, sigma_from: float, sigma_to: float) -> Tensor:
        """Return (W(from) − W(to))/√|from − to|: float32 of the path's shape, unit variance.

        The levels are moved to the grid; two inside one cell use that whole cell.
        """
        a, b = _cell_index(sigma_from), _cell_index(sigma_to)
        if a == b:
            a, b = (a + 1, b) if a < _CELL_COUNT else (a, b - 1)
        return (self._value_at(a) - self._value_at(b)) / math.sqrt(
            abs(_cell_sigma(a) - _cell_sigma(b))
        )

    def _value_at(self, cell: int) -> Tensor:
        """Descend from the whole interval to a grid point, drawing the midpoints on the way."""
        low, high = 0, _CELL_COUNT
        at_low, at_high = self._ends
        if cell in (low, high):
            return at_low if cell == low else at_high
        trail: dict[tuple[int, int], Tensor] = {}
        while True:
            key = (low, high)
            cached_value = self._trail.get(key)
            trail[key] = middle = (
                self._draw_bridge(low, high, at_low, at_high)
                if cached_value is None
                else cached_value
            )
            mid = (low + high) // 2
            if cell == mid:
                self._trail = trail  # the next question is usually near: keep this descent only
                return middle
            if cell < mid:
                high, at_high = mid, middle
            else:
                low, at_low = mid, middle

    def _draw_bridge(self, low: int, high: int, at_low: Tensor, at_high: Tensor) -> Tensor:
        """Draw W(m) at the middle given both ends: variance (m − a)(b − m)/(b − a)."""
        a, m, b = _cell_sigma(low), _cell_sigma((low + high) // 2), _cell_sigma(high)
        mean = torch.lerp(at_low, at_high, (m - a) / (b - a))
        return mean + self._draw_normal(low, high) * math.sqrt((m - a) * (b - m) / (b - a))

    def _draw_normal(self, low: int, high: int) -> Tensor:
        place = f"{self._seed}/{low}/{high}".encode()
        seed = int.from_bytes(blake2b(place, digest_size=4).digest(), "big")
        return torch.randn(self._shape, generator=self._generator.manual_seed(seed))


def _cell_index(sigma: float) -> int:
    place = (math.log2(sigma) - _LOG_MIN_SIGMA) / _LOG_SPAN
    return round(min(max(place, 0.0), 1.0) * _CELL_COUNT)


def _cell_sigma(cell: int) -> float:
    return math.exp2(_LOG_MIN_SIGMA + _LOG_SPAN * cell / _CELL_COUNT)
