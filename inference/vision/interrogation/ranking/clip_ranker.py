"""CLIP on one device: pictures and phrases become vectors that can be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image
from torch import Tensor

from inference.model_files.errors import BrokenOutput, MissingWeights
from inference.prompts.chunks import Tokenizer
from inference.prompts.tokenizer import load_tokenizer
from inference.vision.interrogation.ranking.matches import normalise_rows
from inference.vision.interrogation.transformers_loader import load_pretrained

WEIGHTS_FILE = "model.safetensors"
#: Everything that a phrase's vector depends on.
HASHED_FILES = ("config.json", WEIGHTS_FILE, "tokenizer.json", "vocab.json", "merges.txt")
#: Either says how pictures are prepared.
PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True, eq=False)
class ClipRanker:
    """One CLIP, computing in float32."""

    model: transformers.CLIPModel
    processor: transformers.CLIPImageProcessor
    tokenizer: Tokenizer
    device: torch.device
    #: SHA-256 over weights and vocabulary, in hexadecimal.
    digest: str

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Image.Image]) -> Tensor:
        """Encode RGB pictures of any size: [B, D] float32 on the CPU, rows of length 1.

        Raises:
            BrokenOutput: the network gave no numbers.
        """
        pixels = self.processor(images=list(images), return_tensors="pt").pixel_values
        output = self.model.get_image_features(pixel_values=pixels.to(self.device))
        return _normalise_finite(output.pooler_output)

    @torch.inference_mode()
    def encode_phrases(self, phrases: Sequence[str]) -> Tensor:
        """Encode phrases, cut where the network ends: [N, D] float32 on the CPU, rows of length 1.

        Raises:
            BrokenOutput: the network gave no numbers.
        """
        output = self.model.get_text_features(input_ids=self._token_ids(phrases).to(self.device))
        return _normalise_finite(output.pooler_output)

    def _token_ids(self, phrases: Sequence[str]) -> Tensor:
        """Tokenise to [N, longest] int64.

        Attention looks back only and the end token is what is pooled, so padding needs no mask.
        """
        tokenizer = self.tokenizer
        rows = [
            [tokenizer.bos, *tokenizer.ids(phrase)[: tokenizer.chunk_size], tokenizer.eos]
            for phrase in phrases
        ]
        longest = max(len(row) for row in rows)
        return torch.tensor([row + [tokenizer.pad] * (longest - len(row)) for row in rows])


def load_clip_ranker(
    folder: Path, device: torch.device, tokenizer: Path | None = None
) -> ClipRanker:
    """Load CLIP from a folder in transformers' layout.

    Args:
        folder: config.json, model.safetensors, and the tokenizer unless it lies elsewhere.
        device: where it runs.
        tokenizer: a folder to look in where `folder` holds no tokenizer.

    Raises:
        MissingWeights: weights or tokenizer are not there.
        CorruptWeights: they cannot be read.
    """
    tokenizer_folder, clip_tokenizer = _load_tokenizer(folder, tokenizer)
    model = load_pretrained(transformers.CLIPModel, folder, device, torch.float32)
    files = [folder / name for name in HASHED_FILES] + [
        tokenizer_folder / name for name in HASHED_FILES[2:]
    ]
    return ClipRanker(
        model=model,
        processor=_load_processor(folder, model.config.vision_config.image_size, clip_tokenizer),
        tokenizer=clip_tokenizer,
        device=device,
        digest=_hash_files(files),
    )


def _load_tokenizer(folder: Path, fallback_folder: Path | None) -> tuple[Path, Tokenizer]:
    for place in (folder, fallback_folder):
        try:
            if place is not None:
                return place, load_tokenizer(place)
        except FileNotFoundError:
            continue
    raise MissingWeights("weights.lacks_tokenizer", folder=folder.name)


def _load_processor(folder: Path, side: int, tokenizer: Tokenizer) -> Any:
    """Load how pictures are prepared; unsaid, it is CLIP's own way at the network's size.

    A network of whole words is the first starter pack's, which wants values in −1..1.
    """
    if any((folder / name).is_file() for name in PROCESSOR_FILES):
        return transformers.CLIPImageProcessor.from_pretrained(str(folder), local_files_only=True)
    plain = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3} if tokenizer.vocabulary else {}
    square = {"height": side, "width": side}
    return transformers.CLIPImageProcessor(size={"shortest_edge": side}, crop_size=square, **plain)


def _hash_files(files: Sequence[Path]) -> str:
    """Hash files that exist, each with its name."""
    total = hashlib.sha256()
    for path in dict.fromkeys(files):
        if path.is_file():
            total.update(path.name.encode())
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _normalise_finite(features: Tensor) -> Tensor:
    if not torch.isfinite(features).all():
        raise BrokenOutput("model.broken_clip")
    return normalise_rows(features).cpu()
