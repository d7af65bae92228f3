"""Read what InvokeAI writes: `invokeai_metadata`, and `sd-metadata` of its second version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from inference.api.infotext.readers import GenerationInfo, clamp_fields, read_json

INVOKEAI_NAME = "InvokeAI"
#: Things a picture may have been made with that have no place in a text-to-image job.
CONTROL_KEYS = (
    "controlnets",
    "ipAdapters",
    "t2iAdapters",
    "regions",
    "ref_images",
    "control_layers",
)
MAX_LORAS = 50

_NEGATIVE_PATTERN = re.compile(r"(?<!\\)\[([^\[\]|:]*)\]")


def read_invoke(texts: Mapping[str, str]) -> GenerationInfo | None:
    """Read InvokeAI's settings; None where the texts are not its own."""
    metadata = read_json(texts.get("invokeai_metadata"))
    if isinstance(metadata, Mapping):
        return _read_metadata(metadata)
    legacy_metadata = read_json(texts.get("sd-metadata"))
    return _read_legacy_metadata(legacy_metadata) if isinstance(legacy_metadata, Mapping) else None


def _read_metadata(metadata: Mapping[Any, Any]) -> GenerationInfo:
    skipped_layers = metadata.get("clip_skip")
    strength = metadata.get("strength") or metadata.get("denoising_strength")
    values: dict[str, Any] = {
        "Steps": metadata.get("steps"),
        "Sampler": metadata.get("scheduler"),
        "CFG scale": metadata.get("cfg_scale"),
        "CFG rescale": metadata.get("cfg_rescale_multiplier") or None,
        "Seed": metadata.get("seed"),
        "Size": _size_text(metadata),
        "Model": _model_name(metadata.get("model")),
        "VAE": _model_name(metadata.get("vae")),
        "Denoising strength": strength if metadata.get("init_image") else None,
        "Clip skip": skipped_layers + 1
        if isinstance(skipped_layers, int) and 0 <= skipped_layers < 12
        else None,
        "Refiner": _model_name(metadata.get("refiner_model")),
        "RNG": "CPU" if metadata.get("rand_device", "cpu") == "cpu" else "GPU",
        **{
            key: len(metadata[key])
            for key in CONTROL_KEYS
            if isinstance(metadata.get(key), list) and metadata[key]
        },
    }
    prompt = str(metadata.get("positive_prompt") or "")
    loras = metadata.get("loras")
    tags = [_lora_tag(entry) for entry in loras[:MAX_LORAS]] if isinstance(loras, list) else []
    prompt_text = " ".join([prompt, *filter(None, tags)])
    return GenerationInfo(
        **clamp_fields(INVOKEAI_NAME, prompt_text, metadata.get("negative_prompt"), values)
    )


def _read_legacy_metadata(metadata: Mapping[Any, Any]) -> GenerationInfo | None:
    image = metadata.get("image")
    if not isinstance(image, Mapping):
        return None
    prompt = image.get("prompt")
    if isinstance(prompt, list):
        parts = (part.get("prompt") for part in prompt[:20] if isinstance(part, Mapping))
        prompt = " ".join(str(part) for part in parts)
    prompt_text = str(prompt or "")[:100_000]
    values = {
        "Steps": image.get("steps"),
        "Sampler": image.get("sampler"),
        "CFG scale": image.get("cfg_scale"),
        "Seed": image.get("seed"),
        "Size": _size_text(image),
        "Model": metadata.get("model_weights") or metadata.get("model"),
        "Denoising strength": image.get("strength") if image.get("type") == "img2img" else None,
        "Seamless": image.get("seamless") or None,
        "Threshold": image.get("threshold") or None,
        "Perlin noise": image.get("perlin") or None,
        "RNG": "CPU",
    }
    negative = ", ".join(
        part.strip() for part in _NEGATIVE_PATTERN.findall(prompt_text) if part.strip()
    )
    return GenerationInfo(
        **clamp_fields(INVOKEAI_NAME, _NEGATIVE_PATTERN.sub("", prompt_text), negative, values)
    )


def _size_text(metadata: Mapping[Any, Any]) -> str:
    width, height = metadata.get("width"), metadata.get("height")
    return f"{width}x{height}" if width and height else ""


def _model_name(model: object) -> str:
    if isinstance(model, Mapping):
        return str(model.get("name") or model.get("model_name") or "")
    return model if isinstance(model, str) else ""


def _lora_tag(entry: object) -> str:
    if not isinstance(entry, Mapping):
        return ""
    name = _model_name(entry.get("model")) or _model_name(entry.get("lora"))
    return f"<lora:{name}:{entry.get('weight', 1)}>" if name else ""
