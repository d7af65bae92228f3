"""CLIP's rankings as pure functions: features in, the likeliest phrases of a list out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

#: What cosines are multiplied with before the softmax: CLIP's own scale at the end of its training
#: (Radford et al. 2021, section 2.5), which the field's interrogators keep fixed.
LOGIT_SCALE = 100.0


@dataclass(frozen=True)
class PhraseMatch:
    """A phrase and its share of its list's probability, 0–1."""

    phrase: str
    probability: float


def normalise_rows(features: Tensor) -> Tensor:
    """Scale the rows of [N, D] to length 1; float32."""
    return torch.nn.functional.normalize(features.float(), dim=-1)


def to_column_major(features: Tensor) -> Tensor:
    """Lay [N, D] out in memory column by column; the values stay.

    A processor multiplies that with one vector several times as fast as row by row.
    """
    return features.T.contiguous().T


def phrase_probabilities(image: Tensor, phrases: Tensor) -> Tensor:
    """Compare a picture [D] with phrases [N, D], all of length 1: softmax(100·cos), [N] float32."""
    return (LOGIT_SCALE * (phrases @ image)).softmax(dim=0)


def top_matches(share: Tensor, phrases: Sequence[str], top: int) -> tuple[PhraseMatch, ...]:
    """Pick the `top` likeliest phrases, the likeliest first; `share` is [N], one a phrase."""
    values, places = share.topk(min(top, len(phrases)))
    return tuple(
        PhraseMatch(phrases[place], value)
        for place, value in zip(places.tolist(), values.tolist(), strict=True)
    )
