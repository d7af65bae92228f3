"""The text side of a checkpoint: one CLIP text encoder, or SDXL's two side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from inference.errors import JobError
from inference.models.embeddings import Embeddings, Guarded
from inference.models.lora.side import Side, SideEncoder
from inference.prompts.cache import CachedEncoder, ConditioningCache
from inference.prompts.chunks import Tokenizer
from inference.prompts.conditioning import Conditioning, Encoder
from inference.prompts.encode import TextEncoder, sdxl_encoder

#: Encoded prompts kept of one checkpoint: about 400 of SD's, 77 tokens of 768 numbers each.
CACHE_BYTES = 96 * 2**20


@dataclass(frozen=True, eq=False)
class Words:
    """Tokenizers and text models in the order the network was trained with: one, or two (SDXL)."""

    tokenizers: tuple[Tokenizer, ...]
    models: tuple[Any, ...]
    #: SDXL was trained with zeros for an absent prompt, not with the encoding of nothing.
    zero_when_empty: bool = False
    #: The host's textual inversions.
    embeddings: Embeddings = field(default_factory=Embeddings)
    #: Encoded prompts of late.
    cache: ConditioningCache = field(default_factory=lambda: ConditioningCache(CACHE_BYTES))

    @property
    def tokenizer(self) -> Tokenizer:
        """The first encoder's tokenizer, by which prompts are split and explained."""
        return self.tokenizers[0]

    def encoder(self, clip_skip: int, emphasis: Any, side: Side | None = None) -> Encoder:
        """Make the encoder with a job's own way of reading; equal texts are read once.

        Raises:
            JobError: these text models have fewer layers than clip skip asks for; or, when it
                encodes, a prompt names an embedding of another family.
        """
        try:
            plain = self._plain(clip_skip, emphasis)
        except ValueError as error:
            raise JobError("clip_skip", str(error)) from error
        beside = side.text_key if side else ()
        if side and beside:
            plain = SideEncoder(plain, side, self.models)
        cached = CachedEncoder(plain, self.cache, (clip_skip, emphasis, beside))
        return Guarded(cached, self.embeddings) if self.embeddings.foreign else cached

    def absent(self, conditioning: Conditioning) -> Conditioning:
        """Give what stands for an empty negative prompt, shaped like `conditioning`."""
        if not self.zero_when_empty:
            return conditioning
        pooled = conditioning.pooled
        return Conditioning(
            torch.zeros_like(conditioning.crossattn),
            None if pooled is None else torch.zeros_like(pooled),
        )

    def _plain(self, clip_skip: int, emphasis: Any) -> Encoder:
        if len(self.models) == 1:
            return TextEncoder(
                self.tokenizers[0],
                self.models[0],
                clip_skip=clip_skip,
                emphasis=emphasis,
                embeddings=self.embeddings.vectors[0] if self.embeddings.vectors else {},
            )
        (first, second), (one, two) = self.tokenizers, self.models
        vectors = self.embeddings.vectors or ({}, {})
        return sdxl_encoder(
            (first, second),
            (one, two),
            clip_skip=clip_skip,
            emphasis=emphasis,
            embeddings=(vectors[0], vectors[1]),
        )
