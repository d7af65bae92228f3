"""A captioner on one device: a picture becomes a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image

from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.vision.interrogation.transformers_loader import load_pretrained, read_config


@dataclass(frozen=True)
class CaptionerFamily:
    """Captioners of one architecture."""

    #: Names of its classes in transformers.
    network: str
    processor: str
    #: Either of these files is its tokenizer.
    tokenizers: tuple[str, ...]
    #: What it is told to do; None where it can do nothing else.
    task: str | None = None


#: By `model_type` in config.json.
CAPTIONER_FAMILIES = {
    "blip": CaptionerFamily(
        "BlipForConditionalGeneration", "BlipProcessor", ("tokenizer.json", "vocab.txt")
    ),
    "florence2": CaptionerFamily(
        "Florence2ForConditionalGeneration",
        "Florence2Processor",
        ("tokenizer.json", "vocab.json"),
        task="<DETAILED_CAPTION>",
    ),
}


@dataclass(frozen=True)
class CaptionSettings:
    """How a sentence is searched; lengths in tokens, the start token counted in."""

    beams: int = 1
    min_length: int = 24
    max_length: int = 48


@dataclass(frozen=True)
class ScoredCaption:
    """A sentence for a picture, and how sure the network is of it."""

    text: str
    #: The geometric mean of the probabilities that it gave the sentence's tokens, 0-1.
    confidence: float


@dataclass(frozen=True, eq=False)
class Captioner:
    """One network with its processor, which scales pictures to the network's square."""

    model: Any
    processor: Any
    device: torch.device
    dtype: torch.dtype
    task: str | None = None

    def caption_images(self, images: Sequence[Image.Image], settings: CaptionSettings) -> list[str]:
        """Describe RGB pictures of any size, by beam search without sampling."""
        return [caption.text for caption in self.score_captions(images, settings)]

    @torch.inference_mode()
    def score_captions(
        self, images: Sequence[Image.Image], settings: CaptionSettings
    ) -> list[ScoredCaption]:
        """Describe RGB pictures of any size, and say how sure the network is of each sentence."""
        task_inputs = {} if self.task is None else {"text": [self.task] * len(images)}
        inputs = self.processor(images=list(images), **task_inputs, return_tensors="pt")
        fitted_settings = self.fit_settings(settings)
        output = self.model.generate(
            **inputs.to(self.device, self.dtype),  # numbers of tokens stay whole
            num_beams=fitted_settings.beams,
            min_length=fitted_settings.min_length,
            max_length=fitted_settings.max_length,
            do_sample=False,
            output_scores=True,
            return_dict_in_generate=True,
        )
        sentences = self.processor.batch_decode(output.sequences, skip_special_tokens=True)
        confidences = self._token_confidence(output)
        return [
            ScoredCaption(sentence.strip(), confidence)
            for sentence, confidence in zip(sentences, confidences, strict=True)
        ]

    def _token_confidence(self, output: Any) -> list[float]:
        """Give the geometric mean probability of each sentence's tokens, its end counted in."""
        writer = getattr(self.model, "text_decoder", self.model)  # BLIP's, which has the words
        scores = writer.compute_transition_scores(
            output.sequences,
            output.scores,
            getattr(output, "beam_indices", None),
            normalize_logits=True,
        )
        config = self.model.config.text_config
        tokens = output.sequences[:, -scores.shape[1] :]
        ends = torch.isin(tokens, torch.tensor(_end_tokens(config), device=tokens.device))
        counted_tokens = (ends.cumsum(dim=1) - ends.int() == 0) & torch.isfinite(scores)
        sums = torch.where(counted_tokens, scores, 0).float().sum(dim=1)
        means: list[float] = (sums / counted_tokens.sum(dim=1).clamp(min=1)).exp().tolist()
        return means

    def fit_settings(self, settings: CaptionSettings) -> CaptionSettings:
        """Keep settings within what the network can hold.

        One that holds fewer tokens than are asked for was made for short captions: it ends when it
        wants to, as anything it were forced to add would be babble.
        """
        positions = int(self.model.config.text_config.max_position_embeddings)
        if settings.max_length <= positions:
            return settings
        return CaptionSettings(settings.beams, 0, positions)


def _end_tokens(config: Any) -> list[int]:
    """List the tokens that end a sentence or fill up after it: BLIP's end is its separator."""
    names = ("sep_token_id", "eos_token_id", "pad_token_id")
    tokens = [getattr(config, name, None) for name in names]
    return [token for token in tokens if isinstance(token, int)]


def load_captioner(folder: Path, device: torch.device, dtype: torch.dtype) -> Captioner:
    """Load BLIP or Florence-2 from a folder in transformers' layout.

    Raises:
        MissingWeights: weights or tokenizer are not there.
        UnsupportedWeights: the folder wants code of its own to be run.
        CorruptWeights: they cannot be read.
    """
    config = read_config(folder)
    family = CAPTIONER_FAMILIES[config.get("model_type", "blip")]
    if "auto_map" in config:
        raise UnsupportedWeights("weights.captioner_code", name=folder.name)
    if not any((folder / name).is_file() for name in family.tokenizers):
        raise MissingWeights(
            "weights.captioner_tokenizer", name=folder.name, files=" or ".join(family.tokenizers)
        )
    model = load_pretrained(getattr(transformers, family.network), folder, device, dtype)
    try:
        processor_class = getattr(transformers, family.processor)
        processor = processor_class.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorruptWeights(
            "weights.captioner_processor", name=folder.name, error=error
        ) from error
    return Captioner(model, processor, device, dtype, family.task)
