"""The text side of a flow family: language models, which weigh no words and learn none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from inference.diffusion.embeddings import CheckpointEmbeddings
from inference.diffusion.lora.active import ActiveLoras
from inference.prompts.cache import CachedEncoder, ConditioningCache
from inference.prompts.chunks import Tokenizer
from inference.prompts.conditioning import Conditioning, PromptEncoder
from inference.prompts.vision_language import VisionEncoder, hash_pictures

#: Encoded prompts kept of one checkpoint: about 20 of the largest families'.
LANGUAGE_CACHE_BYTES = 256 * 2**20


@dataclass(frozen=True, eq=False)
class LanguageEncoders:
    """The text models of a checkpoint, and the encoder that asks them."""

    #: The main one, by which prompts are explained.
    tokenizer: Tokenizer
    models: tuple[Any, ...]
    encoder: PromptEncoder
    embeddings: CheckpointEmbeddings = field(default_factory=CheckpointEmbeddings)
    #: Encoded prompts of late.
    cache: ConditioningCache = field(
        default_factory=lambda: ConditioningCache(LANGUAGE_CACHE_BYTES)
    )
    has_fixed_layer: bool = False
    is_language: bool = True

    @property
    def lora_models(self) -> tuple[Any, ...]:
        """The text models beside which LoRAs run: none."""
        return ()

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
        """Make the encoder; a job's own way of reading is CLIP's business. Texts are read once.

        `prepare` is called before the text models are. An encoder that can see looks at the
        `pictures` of an edit.
        """
        if pictures and isinstance(self.encoder, VisionEncoder):
            encoder = self.encoder.with_pictures(pictures)
            return CachedEncoder(encoder, self.cache, hash_pictures(pictures), prepare)
        return CachedEncoder(self.encoder, self.cache, "language", prepare)

    def null_conditioning(self, conditioning: Conditioning) -> Conditioning:
        """Give what stands for an empty negative prompt: its encoding."""
        return conditioning
