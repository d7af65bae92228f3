"""How near each part of a picture is, by a network of transformers in a folder of the host's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from inference.model_files.errors import BrokenOutput, CorruptWeights, MissingWeights
from inference.model_files.inspection import describe_error
from inference.runtime.memory import folder_bytes
from inference.runtime.model_cache import ModelCache
from inference.vision.interrogation.transformers_loader import load_pretrained, read_config

#: The folder below the models folder in which such networks lie, each in one of its own.
DEPTH_DIR = "depth"
#: Kinds of networks that give what is near as larger numbers, by `model_type` in config.json.
DEPTH_MODEL_TYPES = ("depth_anything", "dpt")


@dataclass(frozen=True, eq=False)
class DepthEstimator:
    """One network with its processor."""

    model: Any
    processor: Any
    device: torch.device

    @torch.inference_mode()
    def estimate_depth(self, image: Image.Image) -> Image.Image:
        """Draw a picture's depth, the nearest white and the farthest black; `RGB`, its size.

        Raises:
            BrokenOutput: the network gave numbers that are no depth.
        """
        inputs = self.processor(images=image, return_tensors="pt").to(self.device)
        depth = self.model(**inputs).predicted_depth[:, None].float()
        values = torch.nn.functional.interpolate(
            depth, size=(image.height, image.width), mode="bicubic", align_corners=False
        )[0, 0]
        low, high = values.min(), values.max()
        if not torch.isfinite(high - low):
            raise BrokenOutput("model.broken")
        levels = (values - low) / (high - low).clamp(min=1e-6) * 255
        pixels = levels.round().cpu().numpy().astype(np.uint8)
        return Image.fromarray(pixels).convert("RGB")


class DepthLibrary:
    """The depth network of one worker, loaded when it is first asked for."""

    def __init__(self, models: Path, device: torch.device, model_cache: ModelCache[Any]) -> None:
        """Take where it lies, where it runs and what holds it."""
        self._folder = models / DEPTH_DIR
        self._device, self._model_cache = device, model_cache

    @property
    def has_network(self) -> bool:
        """Whether there is one."""
        return self._find_folder() is not None

    def estimate_depths(self, images: Sequence[Image.Image]) -> list[Image.Image]:
        """Draw the depth of RGB pictures.

        Raises:
            ModelError: there is no network for it, or it is damaged.
        """
        folder = self._find_folder()
        if folder is None:
            raise MissingWeights("control.no_depth")
        key = (DEPTH_DIR, str(folder))
        estimator: DepthEstimator | None = self._model_cache.get(key)
        if estimator is None:
            size = folder_bytes(folder)
            estimator = self._model_cache.load_model(
                key, size, lambda: _load_estimator(folder, self._device), lambda _network: size
            )
        return [estimator.estimate_depth(image) for image in images]

    def _find_folder(self) -> Path | None:
        folders = sorted(self._folder.glob("*")) if self._folder.is_dir() else []
        return next((f for f in folders if _is_depth_network(f)), None)


def _is_depth_network(folder: Path) -> bool:
    config = read_config(folder)
    is_metric = config.get("depth_estimation_type", "relative") == "metric"
    return config.get("model_type") in DEPTH_MODEL_TYPES and not is_metric


def _load_estimator(folder: Path, device: torch.device) -> DepthEstimator:
    # Not at the top: their import costs every start what few hosts need.
    from transformers import AutoImageProcessor, AutoModelForDepthEstimation

    try:
        processor = AutoImageProcessor.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # settings can be wrong in ways that the library never foresaw
        reason = describe_error(error)
        raise CorruptWeights("weights.unreadable", name=folder.name, error=reason) from error
    model = load_pretrained(AutoModelForDepthEstimation, folder, device, torch.float32)
    return DepthEstimator(model, processor, device)
