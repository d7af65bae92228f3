"""What a LoRA file's metadata says of its scale, where the weights do not: peft's settings."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.diffusion.lora.names import UNET_PART, Place

#: Where diffusers writes peft's settings of each part, keys like `unet.lora_alpha`.
METADATA_KEY = "lora_adapter_metadata"
#: Where peft itself writes them: beside its file of weights.
WEIGHTS_FILE, CONFIG_FILE = "adapter_model.safetensors", "adapter_config.json"


@dataclass(frozen=True)
class AdapterSettings:
    """Settings of every part of a file; empty where it has none."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def rank_scale(self, place: Place, rank: int) -> float:
        """Give the scale of a layer of so many ranks: alpha over the rank, or over its root."""
        alpha = self._layer_alpha(place)
        if alpha is None:
            return 1.0
        is_stabilized = bool(self._find_value(place[0], "use_rslora"))
        return alpha / max(1, math.sqrt(rank) if is_stabilized else rank)

    def _layer_alpha(self, place: Place) -> float | None:
        part, layer = place
        name = layer if part == UNET_PART else f"text_model.{layer.removeprefix('text_model.')}"
        patterns = self._find_value(part, "alpha_pattern")
        for pattern, alpha in patterns.items() if isinstance(patterns, dict) else ():
            if _matches_layer(str(pattern), name) and isinstance(alpha, int | float):
                return float(alpha)
        alpha = self._find_value(part, "lora_alpha")
        return float(alpha) if isinstance(alpha, int | float) else None

    def _find_value(self, part: str, key: str) -> Any:
        stems = {UNET_PART: "unet", "0": "text_encoder", "1": "text_encoder_2"}
        return self.values.get(f"{stems[part]}.{key}", self.values.get(key))


def read_adapter_settings(path: Path, metadata: Mapping[str, str]) -> AdapterSettings:
    """Read a file's settings out of its metadata, or beside it; what is no JSON is none."""
    text = metadata.get(METADATA_KEY, "{}")
    try:
        if METADATA_KEY not in metadata and path.name == WEIGHTS_FILE:
            text = path.with_name(CONFIG_FILE).read_text(encoding="utf-8")
        values = json.loads(text)
    except (OSError, ValueError):
        return AdapterSettings()
    return AdapterSettings(values if isinstance(values, dict) else {})


def _matches_layer(pattern: str, name: str) -> bool:
    """Whether a pattern of peft's stands for a layer: its name, or how that ends."""
    try:
        return re.fullmatch(rf"(?:.*\.)?(?:{pattern})", name) is not None
    except re.error:
        return False
