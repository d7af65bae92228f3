"""A list's vectors, laid out to be compared with one picture's after another.

Comparing takes as long as reading the vectors. A long list is read in 8 bits, a quarter of the
bytes; phrases that may be among the best by that are then compared exactly. The matches are those
of the exact comparison, and so are their figures but for the sum that they are shares of.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from inference.interrogation.matches import SCALE, Match, best, laid_out, probabilities

log = logging.getLogger(__name__)

#: Phrases from which 8 bits save more than the second look costs.
LONG = 20_000
#: The largest value of 8 bits, signed.
LIMIT = 127


@dataclass(frozen=True, eq=False)
class Coarse:
    """Vectors in whole steps, to be read quickly."""

    values: Tensor
    """[N, D] int8."""
    steps: Tensor
    """What a step of each row is worth, [N] float32."""
    mean: Tensor
    """The mean of the rows before they were rounded, [D] float32."""


@dataclass(frozen=True, eq=False)
class Features:
    """Vectors of length 1, one a phrase."""

    rows: Tensor
    """[N, D] float32."""
    coarse: Coarse | None = None
    """The same for a long list; None for one that is compared as it is."""

    def __len__(self) -> int:
        return len(self.rows)

    def rank(self, picture: Tensor, phrases: Sequence[str], top: int) -> tuple[Match, ...]:
        """Pick the `top` phrases likeliest for a picture, [D] float32 of length 1."""
        coarse = self.coarse
        if coarse is None or top >= len(self):
            return best(probabilities(picture, self.rows), phrases, top)
        step = picture.abs().max() / LIMIT
        whole = (picture / step).round()
        dots = torch._int_mm(coarse.values, whole.to(torch.int8)[:, None])[:, 0]
        logits = dots * (coarse.steps * (SCALE * step))
        # Rounding moves a product by half a step for each unit of the other vector's absolute sum,
        # which for a vector of length 1 is the root of its places at most.
        most = len(picture) ** 0.5
        doubt = SCALE / 2 * (coarse.steps.max() * picture.abs().sum() + step * most)
        least = logits.topk(top).values[-1] - 2 * doubt
        near = (logits >= least).nonzero()[:, 0]
        # What rounding the picture moved, it moved for all that resemble each other alike.
        logits += SCALE * (coarse.mean @ (picture - step * whole))
        logits[near] = SCALE * (self.rows[near] @ picture)
        share = logits.softmax(dim=0)[near]
        return best(share, [phrases[place] for place in near.tolist()], top)


def ready(rows: Tensor, long: int = LONG) -> Features:
    """Lay vectors out, [N, D] float32 of length 1; `long` is from where they are read in 8 bits."""
    if len(rows) < long or not multiplies_bytes():
        return Features(laid_out(rows))
    steps = rows.abs().amax(dim=1) / LIMIT
    values = (rows / steps[:, None]).round().to(torch.int8)
    return Features(rows, Coarse(values, steps, rows.mean(dim=0)))


@cache
def multiplies_bytes() -> bool:
    """Say whether torch multiplies matrices of 8 bits here, which it promises nobody."""
    ones = torch.ones(32, 32, dtype=torch.int8)
    try:
        return bool((torch._int_mm(ones, ones[:, :1]) == 32).all())
    except (AttributeError, RuntimeError, TypeError) as error:
        log.info("Long lists are compared in float32: %s", error)
        return False
