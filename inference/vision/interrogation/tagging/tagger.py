"""A tagger on one device: a picture becomes probabilities of tags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers
from PIL import Image

from inference.model_files.errors import (
    BrokenOutput,
    CorruptWeights,
    MissingWeights,
    UnsupportedWeights,
)
from inference.vision.interrogation.onnx import find_onnx, load_onnx
from inference.vision.interrogation.tagging.tag_files import read_labels
from inference.vision.interrogation.tagging.tags import Tag, TagLabel
from inference.vision.interrogation.transformers_loader import (
    WEIGHTS_FILE,
    WEIGHTS_INDEX_FILE,
    load_pretrained,
    read_config,
)

TIMM_MODEL_TYPE = "timm_wrapper"

#: RGB pictures of any size → [B, tags] float32: the probability of every tag, 0–1.
TaggerNetwork = Callable[[Sequence[Image.Image]], npt.NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Tagger:
    """One image classifier whose outputs are independent of each other."""

    network: TaggerNetwork
    labels: tuple[TagLabel, ...]
    #: Its folder's name.
    name: str

    def tag_images(self, images: Sequence[Image.Image]) -> list[tuple[Tag, ...]]:
        """Tag RGB pictures of any size: every label with its probability, in the network's order.

        Raises:
            CorruptWeights: the tag file is another model's.
            BrokenOutput: the network gave no probabilities.
        """
        probabilities = self.network(images)
        if probabilities.shape[1:] != (len(self.labels),):
            raise _of_different_models(self.name, probabilities.shape[-1], len(self.labels))
        if not (
            np.isfinite(probabilities).all()
            and probabilities.min() >= 0
            and probabilities.max() <= 1
        ):
            raise BrokenOutput("model.broken_tagger", name=self.name)
        return [
            tuple(
                Tag(label, probability) for label, probability in zip(self.labels, row, strict=True)
            )
            for row in probabilities.tolist()
        ]


def load_tagger(folder: Path, device: torch.device) -> Tagger:
    """Load a tagger from its folder: transformers' or timm's layout, else an ONNX file.

    Raises:
        MissingWeights: weights are not there.
        UnsupportedWeights: the folder needs a library that is not installed.
        CorruptWeights: they cannot be read, or the tag file is another model's.
    """
    config = read_config(folder)
    labels = read_labels(folder, config)
    if _runs_as_onnx(folder, config):
        return Tagger(load_onnx(folder, device), labels, folder.name)
    if is_timm(config) and not _has_timm():
        raise UnsupportedWeights("weights.tagger_timm", name=folder.name)
    return Tagger(_load_classifier(folder, device, len(labels)), labels, folder.name)


def is_timm(config: dict[str, Any]) -> bool:
    """Tell timm's own layout, which the WD taggers are published in."""
    return config.get("model_type") == TIMM_MODEL_TYPE or (
        "model_type" not in config and "architecture" in config
    )


def _runs_as_onnx(folder: Path, config: dict[str, Any]) -> bool:
    """Take the ONNX file where there is nothing else, or nothing else that runs here."""
    if find_onnx(folder) is None:
        return False
    plain = any((folder / name).is_file() for name in (WEIGHTS_FILE, WEIGHTS_INDEX_FILE))
    return not (plain and config) or (is_timm(config) and not _has_timm())


def _has_timm() -> bool:
    return find_spec("timm") is not None


def _load_classifier(folder: Path, device: torch.device, labels: int) -> TaggerNetwork:
    model = load_pretrained(
        transformers.AutoModelForImageClassification, folder, device, torch.float32
    )
    if int(model.config.num_labels) != labels:
        raise _of_different_models(folder.name, int(model.config.num_labels), labels)
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(
            str(folder), local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise MissingWeights("weights.tagger_processor", name=folder.name) from error

    @torch.inference_mode()
    def predict_probabilities(images: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        pixels = processor(images=list(images), return_tensors="pt")["pixel_values"]
        logits = model(pixel_values=pixels.to(device)).logits
        probabilities: npt.NDArray[np.float32] = logits.float().sigmoid().cpu().numpy()
        return probabilities

    return predict_probabilities


def _of_different_models(name: str, outputs: int, labels: int) -> CorruptWeights:
    return CorruptWeights("weights.tagger_misfit", name=name, outputs=outputs, labels=labels)
