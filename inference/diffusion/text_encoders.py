"""The text side of a checkpoint: one CLIP text encoder, or SDXL's two side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from PIL import Image

from inference.diffusion.embeddings import CheckpointEmbeddings, EmbeddingGuard
from inference.diffusion.lora.active import ActiveLoras, LoraTextEncoder
from inference.prompts.cache import CachedEncoder, ConditioningCache
from inference.prompts.chunks import Tokenizer
from inference.prompts.conditioning import Conditioning, PromptEncoder
from inference.prompts.encode import TextEncoder, sdxl_encoder

#: Encoded prompts kept of one checkpoint: about 400 of SD's, 77 tokens of 768 numbers each.
PROMPT_CACHE_BYTES = 96 * 2**20


@dataclass(frozen=True, eq=False)
class TextEncoders:
    """Tokenizers and text models in the order the network was trained with: one, or two (SDXL)."""

    tokenizers: tuple[Tokenizer, ...]
    models: tuple[Any, ...]
    #: SDXL was trained with zeros for an absent prompt, not with the encoding of nothing.
    zero_when_empty: bool = False
    #: Stable Diffusion 2 and XL read the one layer that they were trained on, whatever is asked.
    has_fixed_layer: bool = False
    #: A single encoder is read at the layer before the last, without its norm (SDXL's refiner).
    reads_before_last: bool = False
    #: The host's textual inversions.
    embeddings: CheckpointEmbeddings = field(default_factory=CheckpointEmbeddings)
    #: Encoded prompts of late.
    cache: ConditioningCache = field(default_factory=lambda: ConditioningCache(PROMPT_CACHE_BYTES))

    #: Whether they are language models, which weigh no words.
    is_language: bool = False

    @property
    def lora_models(self) -> tuple[Any, ...]:
        """The text models beside which LoRAs run."""
        return self.models

    @property
    def tokenizer(self) -> Tokenizer:
        """The first encoder's tokenizer, by which prompts are split and explained."""
        return self.tokenizers[0]

    def build_encoder(
        self,
        clip_skip: int,
        emphasis: Any,
        active_loras: ActiveLoras | None = None,
        *,
        force_clip_skip: bool = False,
        prepare: Callable[[], object] = lambda: None,
        pictures: Sequence[Image.Image] = (),
    ) -> PromptEncoder:
        """Make the encoder with a job's own way of reading; equal texts are read once.

        `prepare` is called before the text models are. CLIP sees no `pictures`.

        Clip skip is left out where the family has a layer of its own, as in the web UI, unless it
        is forced.

        Raises:
            JobError: these text models have fewer layers than clip skip asks for; or, when it
                encodes, a prompt can only mean an embedding of another family.
        """
        if self.has_fixed_layer and not force_clip_skip:
            clip_skip = 1
        bundled_embeddings = active_loras.embeddings if active_loras else {}
        plain = self._build_plain_encoder(clip_skip, emphasis, bundled_embeddings)
        lora_key = active_loras.text_key if active_loras else ()
        if active_loras and lora_key:
            plain = LoraTextEncoder(plain, active_loras, self.models)
        cached_encoder = CachedEncoder(plain, self.cache, (clip_skip, emphasis, lora_key), prepare)
        foreign = {
            word: width
            for word, width in self.embeddings.foreign.items()
            if word not in bundled_embeddings
        }
        if not foreign:
            return cached_encoder
        return EmbeddingGuard(cached_encoder, replace(self.embeddings, foreign=foreign))

    def null_conditioning(self, conditioning: Conditioning) -> Conditioning:
        """Give what stands for an empty negative prompt, shaped like `conditioning`."""
        if not self.zero_when_empty:
            return conditioning
        pooled_embeds = conditioning.pooled
        return Conditioning(
            torch.zeros_like(conditioning.crossattn),
            None if pooled_embeds is None else torch.zeros_like(pooled_embeds),
        )

    def _build_plain_encoder(
        self,
        clip_skip: int,
        emphasis: Any,
        bundled_embeddings: Mapping[str, tuple[torch.Tensor, ...]],
    ) -> PromptEncoder:
        """Make the encoder itself; words that a LoRA brings along go before the host's."""
        vectors = [
            {**own_vectors, **{name: parts[number] for name, parts in bundled_embeddings.items()}}
            for number, own_vectors in enumerate(
                self.embeddings.vectors or ({},) * len(self.models)
            )
        ]
        if len(self.models) == 1:
            return TextEncoder(
                self.tokenizers[0],
                self.models[0],
                clip_skip=clip_skip + self.reads_before_last,
                emphasis=emphasis,
                final_norm=not self.reads_before_last,
                embeddings=vectors[0],
            )
        (first, second), (first_model, second_model) = self.tokenizers, self.models
        return sdxl_encoder(
            (first, second),
            (first_model, second_model),
            clip_skip=clip_skip,
            emphasis=emphasis,
            embeddings=(vectors[0], vectors[1]),
        )
