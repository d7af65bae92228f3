"""A Brownian path over noise levels that can be asked anywhere, in any order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from torch import Tensor

DECIMALS = 6  # of a noise level: what lies nearer together is one point of the path
POOL_SIZE = 24  # words of entropy that seeds are mixed in


class _Interval(NamedTuple):
    """A stretch of the path, as one of the halves that halving the whole again and again gives."""

    start: float
    end: float
    #: Its place among the 2^depth of its depth.
    number: int
    depth: int
    #: W(end) − W(start).
    increment: Tensor


class BrownianTree:
    """A virtual Brownian tree: W(sigma) with W independent of which points are asked, or when.

    The path is fixed by the seed and the span of noise levels, low to high. Each midpoint is drawn
    from the Brownian bridge between its neighbours, with a seed made from its place (Li et al.
    2020, "Scalable Gradients for Stochastic Differential Equations", section 4); places are halved,
    rounded and seeded as torchsde does, whose numbers these are. ``draw`` gives the unit normal
    numbers [C, H, W] of a seed.
    """

    def __init__(self, seed: int, span: tuple[float, float], draw: Callable[[int], Tensor]) -> None:
        self._seed = seed
        self._draw = draw
        self._low, self._high = span
        increment = draw(self._make_seed(())) * math.sqrt(self._high - self._low)
        self._root = _Interval(_round(self._low), _round(self._high), 0, 0, increment)
        self._middles: dict[tuple[int, int], tuple[_Interval, _Interval]] = {}

    def scaled_increment(self, sigma_from: float, sigma_to: float) -> Tensor:
        """Return (W(to) − W(from))/√|to − from|: float32 of the path's shape, unit variance.

        Levels beyond the span are moved to its ends; two that meet share the shortest stretch.
        """
        sigma_from, sigma_to = (
            min(max(sigma, self._low), self._high) for sigma in (sigma_from, sigma_to)
        )
        low, high = sorted((_round(sigma_from), _round(sigma_to)))
        length = abs(sigma_to - sigma_from)
        if low == high:
            length = 10.0**-DECIMALS
            low, high = (low, _round(low + length))
            if high > self._root.end:
                low, high = _round(self._root.end - length), self._root.end
        sign = -1 if sigma_from > sigma_to else 1
        trail: dict[tuple[int, int], tuple[_Interval, _Interval]] = {}
        increment = self._sum_increments(self._root, low, high, trail)
        self._middles = trail  # the next question is usually near: keep this descent only
        return increment * (sign / math.sqrt(length))

    def _sum_increments(
        self,
        interval: _Interval,
        low: float,
        high: float,
        trail: dict[tuple[int, int], tuple[_Interval, _Interval]],
    ) -> Tensor:
        if (low, high) == (interval.start, interval.end):
            return interval.increment
        place = (interval.number, interval.depth)
        halves = self._middles.get(place) or self._split_interval(interval)
        trail[place] = halves
        left, right = halves
        if high <= left.end:
            return self._sum_increments(left, low, high, trail)
        if low >= left.end:
            return self._sum_increments(right, low, high, trail)
        return self._sum_increments(left, low, left.end, trail) + self._sum_increments(
            right, right.start, high, trail
        )

    def _split_interval(self, interval: _Interval) -> tuple[_Interval, _Interval]:
        """Draw W at the middle given both ends: variance (m − a)(b − m)/(b − a)."""
        middle = _round(0.5 * (interval.end + interval.start))
        left, right = middle - interval.start, interval.end - middle
        share = 1 / (interval.end - interval.start)
        noise = self._draw(self._make_seed((interval.number, interval.depth)))
        first_half = left * interval.increment * share + math.sqrt(left * right * share) * noise
        number, depth = 2 * interval.number, interval.depth + 1
        return (
            _Interval(interval.start, middle, number, depth, first_half),
            _Interval(middle, interval.end, number + 1, depth, interval.increment - first_half),
        )

    def _make_seed(self, place: tuple[int, ...]) -> int:
        sequence = np.random.SeedSequence(entropy=self._seed, spawn_key=place, pool_size=POOL_SIZE)
        return int(sequence.generate_state(1)[0])


def _round(sigma: float) -> float:
    return round(sigma, DECIMALS)
