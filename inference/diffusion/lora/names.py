"""Under which names files speak of a model's layers: kohya's, LyCORIS's, peft's and diffusers'."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from torch import nn

from inference.diffusion.ldm_names import UnetNames

#: A layer: the part it is in (`unet`, or the number of the text encoder) and its name there.
Place = tuple[str, str]
UNET_PART = "unet"

#: How a weight's name ends, and what it is of its layer's branch.
WEIGHT_ENDINGS = {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_mid.weight": "mid",
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_A.default.weight": "down",
    ".lora_B.default.weight": "up",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
    ".alpha": "alpha",
    ".dora_scale": "dora_scale",
    ".lora_magnitude_vector": "dora_scale",
    ".diff": "diff",
    **{
        f".{name}": name
        for name in (
            *("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"),
            *("lokr_w1", "lokr_w1_a", "lokr_w1_b"),
            *("lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"),
        )
    },
}
_PROCESSOR_PATTERN = re.compile(r"\.processor\.to_(q|k|v|out)$")


def split_name(name: str) -> tuple[str, str] | None:
    """Split a weight's name into its layer's and what it is there; None for other weights."""
    for ending, field in WEIGHT_ENDINGS.items():
        if name.endswith(ending):
            return _modern_layer_name(name.removesuffix(ending)), field
    return None


def _modern_layer_name(name: str) -> str:
    """Bring older diffusers names of attention layers into today's form."""
    name = name.removeprefix("base_model.model.")
    match = _PROCESSOR_PATTERN.search(name)
    if match is None:
        return name
    layer = "to_out.0" if match[1] == "out" else f"to_{match[1]}"
    return f"{name[: match.start()]}.{layer}"


def map_layer_names(unet: Any, texts: tuple[Any, ...]) -> dict[str, Place]:
    """Map every name that a file may use for a layer of these parts to the layer."""
    places_by_alias: dict[str, Place] = {}
    names = UnetNames(unet.config)
    for layer in _layer_names(unet):
        flat = layer.replace(".", "_")
        for alias in (f"lora_unet_{flat}", f"lycoris_{flat}", f"unet.{layer}", layer):
            places_by_alias[alias] = (UNET_PART, layer)
        try:
            original = names.original_name(layer)
        except KeyError:
            continue
        places_by_alias.setdefault(f"lora_unet_{original.replace('.', '_')}", (UNET_PART, layer))
    for number, text in enumerate(texts):
        for layer in _layer_names(text):
            bare = layer.removeprefix("text_model.")
            for alias in _text_aliases(bare, number):
                places_by_alias[alias] = (str(number), layer)
    return places_by_alias


def _text_aliases(layer: str, number: int) -> Iterator[str]:
    flat = layer.replace(".", "_")
    # Files of families with one text encoder leave its number away, a few write it.
    for stem in ("lora_te", "lora_te1") if number == 0 else (f"lora_te{number + 1}",):
        yield f"{stem}_text_model_{flat}"
        yield f"{stem}_{flat}"
    stem = "text_encoder" if number == 0 else f"text_encoder_{number + 1}"
    yield f"{stem}.text_model.{layer}"
    yield f"{stem}.{layer}"


def _layer_names(part: Any) -> Iterator[str]:
    for name, module in part.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            yield name
