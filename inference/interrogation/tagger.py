"""A tagger on one device: a picture becomes probabilities of tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from inference.interrogation.reading import load_part, read_config
from inference.interrogation.tag_files import read_labels
from inference.interrogation.tags import Label, Tag
from inference.models.errors import (
    BrokenOutput,
    CorruptWeights,
    MissingWeights,
    UnsupportedWeights,
)

TIMM = "timm_wrapper"


@dataclass(frozen=True, eq=False)
class Tagger:
    """One image classifier whose outputs are independent of each other."""

    model: Any
    processor: Any
    labels: tuple[Label, ...]
    device: torch.device

    @torch.inference_mode()
    def tag(self, pictures: Sequence[Image.Image]) -> list[tuple[Tag, ...]]:
        """Tag RGB pictures of any size: every label with its probability, in the network's order.

        Raises:
            BrokenOutput: the network gave no numbers.
        """
        pixels = self.processor(images=list(pictures), return_tensors="pt")["pixel_values"]
        chances = self.model(pixel_values=pixels.to(self.device)).logits.float().sigmoid().cpu()
        if not torch.isfinite(chances).all():
            raise BrokenOutput("The tagger gave numbers that are no tags; use another one.")
        return [
            tuple(Tag(label, chance) for label, chance in zip(self.labels, row, strict=True))
            for row in chances.tolist()
        ]


def load_tagger(folder: Path, device: torch.device) -> Tagger:
    """Load a ViT classifier, or one of timm's, from a folder in transformers' layout.

    Raises:
        MissingWeights: weights are not there.
        UnsupportedWeights: the folder needs a library that is not installed.
        CorruptWeights: they cannot be read, or the tag file is another model's.
    """
    config = read_config(folder)
    _check_runtime(folder, config)
    labels = read_labels(folder, config)
    model = load_part(AutoModelForImageClassification, folder, device, torch.float32)
    outputs = int(model.config.num_labels)
    if outputs != len(labels):
        raise CorruptWeights(
            f"The tagger {folder.name} gives {outputs} numbers, but its tag file names "
            f"{len(labels)}: they belong to different models."
        )
    try:
        processor = AutoImageProcessor.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError) as error:
        raise MissingWeights(
            f"The tagger {folder.name} lacks preprocessor_config.json, which says how it wants "
            "its pictures: put it beside the weights."
        ) from error
    return Tagger(model, processor, labels, device)


def is_timm(config: dict[str, Any]) -> bool:
    """Tell timm's own layout, which the WD taggers are published in."""
    return config.get("model_type") == TIMM or (
        "model_type" not in config and "architecture" in config
    )


def _check_runtime(folder: Path, config: dict[str, Any]) -> None:
    """Refuse what nothing here can run, and say what would."""
    if is_timm(config) and find_spec("timm") is None:
        raise UnsupportedWeights(
            f"The tagger {folder.name} is in timm's layout: install it beside Easel with "
            "`pip install timm` and restart."
        )
    if not config:
        raise UnsupportedWeights(
            f"The tagger {folder.name} has no config.json. Easel runs taggers as safetensors in "
            "transformers' or timm's layout, not as ONNX files: take that variant of it."
        )
