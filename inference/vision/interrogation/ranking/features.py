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

from inference.vision.interrogation.ranking.matches import (
    LOGIT_SCALE,
    PhraseMatch,
    phrase_probabilities,
    to_column_major,
    top_matches,
)

log = logging.getLogger(__name__)

#: Phrases from which 8 bits save more than the second look costs.
LONG_LIST_PHRASES = 20_000
#: The largest value of 8 bits, signed.
INT8_LIMIT = 127


@dataclass(frozen=True, eq=False)
class QuantizedFeatures:
    """Vectors in whole steps, to be read quickly."""

    values: Tensor
    """[N, D] int8."""
    steps: Tensor
    """What a step of each row is worth, [N] float32."""
    mean: Tensor
    """The mean of the rows before they were rounded, [D] float32."""


@dataclass(frozen=True, eq=False)
class PhraseFeatures:
    """Vectors of length 1, one a phrase."""

    rows: Tensor
    """[N, D] float32."""
    coarse: QuantizedFeatures | None = None
    """The same for a long list; None for one that is compared as it is."""

    def __len__(self) -> int:
        return len(self.rows)

    def rank_phrases(
        self, image: Tensor, phrases: Sequence[str], top: int
    ) -> tuple[PhraseMatch, ...]:
        """Pick the `top` phrases likeliest for a picture, [D] float32 of length 1."""
        coarse = self.coarse
        if coarse is None or top >= len(self):
            return top_matches(phrase_probabilities(image, self.rows), phrases, top)
        step = image.abs().max() / INT8_LIMIT
        rounded_image = (image / step).round()
        dots = torch._int_mm(coarse.values, rounded_image.to(torch.int8)[:, None])[:, 0]
        logits = dots * (coarse.steps * (LOGIT_SCALE * step))
        # Rounding moves a product by half a step for each unit of the other vector's absolute sum,
        # which for a vector of length 1 is the root of its places at most.
        max_absolute_sum = len(image) ** 0.5
        logit_error = (
            LOGIT_SCALE / 2 * (coarse.steps.max() * image.abs().sum() + step * max_absolute_sum)
        )
        min_logit = logits.topk(top).values[-1] - 2 * logit_error
        near = (logits >= min_logit).nonzero()[:, 0]
        # What rounding the picture moved, it moved for all that resemble each other alike.
        logits += LOGIT_SCALE * (coarse.mean @ (image - step * rounded_image))
        logits[near] = LOGIT_SCALE * (self.rows[near] @ image)
        share = logits.softmax(dim=0)[near]
        return top_matches(share, [phrases[place] for place in near.tolist()], top)


def build_features(rows: Tensor, long: int = LONG_LIST_PHRASES) -> PhraseFeatures:
    """Lay vectors out, [N, D] float32 of length 1; `long` is from where they are read in 8 bits."""
    if len(rows) < long or not supports_int8_matmul():
        return PhraseFeatures(to_column_major(rows))
    steps = rows.abs().amax(dim=1) / INT8_LIMIT
    values = (rows / steps[:, None]).round().to(torch.int8)
    return PhraseFeatures(rows, QuantizedFeatures(values, steps, rows.mean(dim=0)))


@cache
def supports_int8_matmul() -> bool:
    """Say whether torch multiplies matrices of 8 bits here, which it promises nobody."""
    probe_matrix = torch.ones(32, 32, dtype=torch.int8)
    try:
        return bool((torch._int_mm(probe_matrix, probe_matrix[:, :1]) == 32).all())
    except (AttributeError, RuntimeError, TypeError) as error:
        log.info("Long lists are compared in float32: %s", error)
        return False
