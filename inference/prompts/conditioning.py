"""Conditioning: encoded prompts, and their lengths brought together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Conditioning:
    """An encoded prompt: `crossattn` [tokens, width], `pooled` [projection] or None; float32."""

    crossattn: Tensor
    pooled: Tensor | None = None
    #: Tokens that are no padding, where the network asks; None for all.
    real_tokens: int | None = None

    @property
    def length(self) -> int:
        """Tokens that are no padding."""
        return len(self.crossattn) if self.real_tokens is None else self.real_tokens

    @property
    def nbytes(self) -> int:
        """Bytes that the tensors take."""
        return self.crossattn.nbytes + (0 if self.pooled is None else self.pooled.nbytes)


class PromptEncoder(Protocol):
    """What turns text into conditionings: one text model, a pair of them, or a cache before."""

    def encode_pooled(self, text: str) -> Conditioning:
        """Encode a prompt of any length."""
        ...

    def encode_empty(self) -> Tensor:
        """Encode the empty prompt to one chunk, [chunk + 2, width] float32."""
        ...


def pad_conditionings(conditionings: Sequence[Tensor], empty: Tensor) -> Tensor:
    """Stack encoded prompts of unequal length to [B, L, W], L the longest.

    `conditionings` are [tokens, W], each a whole number of chunks; `empty` [chunk + 2, W] is the
    encoded empty prompt, repeated behind the shorter ones.
    """
    longest = max(len(conditioning) for conditioning in conditionings)
    return torch.stack([pad_to_length(item, longest, empty) for item in conditionings])


def pad_to_length(conditioning: Tensor, length: int, empty: Tensor) -> Tensor:
    """Bring [tokens, W] to [length, W] with whole empty chunks behind it.

    Raises: ValueError where the difference is no whole number of chunks.
    """
    missing, remainder = divmod(length - len(conditioning), len(empty))
    if missing < 0 or remainder:
        message = f"{len(conditioning)} tokens cannot be padded to {length} by {len(empty)}s."
        raise ValueError(message)
    return torch.cat([conditioning, *[empty.to(conditioning)] * missing])
