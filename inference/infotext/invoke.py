"""Read what InvokeAI writes: `invokeai_metadata`, and `sd-metadata` of its second version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from inference.infotext.told import Told, bounded, read_json

TOOL = "InvokeAI"
#: Things a picture may have been made with that have no place in a text-to-image job.
HELPERS = ("controlnets", "ipAdapters", "t2iAdapters", "regions", "ref_images", "control_layers")
MAX_LORAS = 50

_NEGATIVE = re.compile(r"(?<!\\)\[([^\[\]|:]*)\]")


def read(texts: Mapping[str, str]) -> Told | None:
    """Read InvokeAI's settings; None where the texts are not its own."""
    now = read_json(texts.get("invokeai_metadata"))
    if isinstance(now, Mapping):
        return _now(now)
    before = read_json(texts.get("sd-metadata"))
    return _before(before) if isinstance(before, Mapping) else None


def _now(told: Mapping[Any, Any]) -> Told:
    skipped = told.get("clip_skip")
    strength = told.get("strength") or told.get("denoising_strength")
    values: dict[str, Any] = {
        "Steps": told.get("steps"),
        "Sampler": told.get("scheduler"),
        "CFG scale": told.get("cfg_scale"),
        "CFG rescale": told.get("cfg_rescale_multiplier") or None,
        "Seed": told.get("seed"),
        "Size": _size(told),
        "Model": _name(told.get("model")),
        "VAE": _name(told.get("vae")),
        "Denoising strength": strength if told.get("init_image") else None,
        "Clip skip": skipped + 1 if isinstance(skipped, int) and 0 <= skipped < 12 else None,
        "Refiner": _name(told.get("refiner_model")),
        "RNG": "CPU" if told.get("rand_device", "cpu") == "cpu" else "GPU",
        **{key: len(told[key]) for key in HELPERS if isinstance(told.get(key), list) and told[key]},
    }
    prompt = str(told.get("positive_prompt") or "")
    loras = told.get("loras")
    tags = [_lora(one) for one in loras[:MAX_LORAS]] if isinstance(loras, list) else []
    words = " ".join([prompt, *filter(None, tags)])
    return Told(**bounded(TOOL, words, told.get("negative_prompt"), values))


def _before(told: Mapping[Any, Any]) -> Told | None:
    image = told.get("image")
    if not isinstance(image, Mapping):
        return None
    prompt = image.get("prompt")
    if isinstance(prompt, list):
        parts = (part.get("prompt") for part in prompt[:20] if isinstance(part, Mapping))
        prompt = " ".join(str(part) for part in parts)
    words = str(prompt or "")[:100_000]
    values = {
        "Steps": image.get("steps"),
        "Sampler": image.get("sampler"),
        "CFG scale": image.get("cfg_scale"),
        "Seed": image.get("seed"),
        "Size": _size(image),
        "Model": told.get("model_weights") or told.get("model"),
        "Denoising strength": image.get("strength") if image.get("type") == "img2img" else None,
        "Seamless": image.get("seamless") or None,
        "Threshold": image.get("threshold") or None,
        "Perlin noise": image.get("perlin") or None,
        "RNG": "CPU",
    }
    negative = ", ".join(part.strip() for part in _NEGATIVE.findall(words) if part.strip())
    return Told(**bounded(TOOL, _NEGATIVE.sub("", words), negative, values))


def _size(told: Mapping[Any, Any]) -> str:
    width, height = told.get("width"), told.get("height")
    return f"{width}x{height}" if width and height else ""


def _name(model: object) -> str:
    if isinstance(model, Mapping):
        return str(model.get("name") or model.get("model_name") or "")
    return model if isinstance(model, str) else ""


def _lora(entry: object) -> str:
    if not isinstance(entry, Mapping):
        return ""
    name = _name(entry.get("model")) or _name(entry.get("lora"))
    return f"<lora:{name}:{entry.get('weight', 1)}>" if name else ""
