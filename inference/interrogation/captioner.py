"""BLIP on one device: a picture becomes a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from transformers import BlipForConditionalGeneration, BlipProcessor

from inference.interrogation.reading import load_part
from inference.models.errors import CorruptWeights, MissingWeights

#: Either of these is a tokenizer.
TOKENIZERS = ("tokenizer.json", "vocab.txt")


@dataclass(frozen=True)
class CaptionSettings:
    """How a sentence is searched; lengths in tokens, the start token counted in."""

    beams: int = 1
    min_length: int = 24
    max_length: int = 48


@dataclass(frozen=True, eq=False)
class Captioner:
    """One BLIP with its processor, which scales pictures to the network's square."""

    model: BlipForConditionalGeneration
    processor: BlipProcessor
    device: torch.device
    dtype: torch.dtype

    @torch.inference_mode()
    def caption(self, pictures: Sequence[Image.Image], settings: CaptionSettings) -> list[str]:
        """Describe RGB pictures of any size, by beam search without sampling."""
        pixels = self.processor(images=list(pictures), return_tensors="pt").pixel_values
        within = self.within(settings)
        ids = self.model.generate(
            pixel_values=pixels.to(self.device, self.dtype),
            num_beams=within.beams,
            min_length=within.min_length,
            max_length=within.max_length,
            do_sample=False,
        )
        said = self.processor.batch_decode(ids, skip_special_tokens=True)
        return [sentence.strip() for sentence in said]

    def within(self, settings: CaptionSettings) -> CaptionSettings:
        """Keep settings within what the network can hold.

        One that holds fewer tokens than are asked for was made for short captions: it ends when it
        wants to, as anything it were forced to add would be babble.
        """
        positions = int(self.model.config.text_config.max_position_embeddings)
        if settings.max_length <= positions:
            return settings
        return CaptionSettings(settings.beams, 0, positions)


def load_captioner(folder: Path, device: torch.device, dtype: torch.dtype) -> Captioner:
    """Load BLIP from a folder in transformers' layout.

    Raises:
        MissingWeights: weights or tokenizer are not there.
        CorruptWeights: they cannot be read.
    """
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise MissingWeights(
            f"The captioner {folder.name} lacks its tokenizer: put tokenizer.json or vocab.txt of "
            "the same model beside its weights."
        )
    model = load_part(BlipForConditionalGeneration, folder, device, dtype)
    try:
        processor = BlipProcessor.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CorruptWeights(
            f"The captioner {folder.name} cannot prepare pictures or words: {error}"
        ) from error
    return Captioner(model, processor, device, dtype)
