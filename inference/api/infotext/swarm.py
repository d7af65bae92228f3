"""Read the JSON that SwarmUI writes, under names of its own, as `parameters` or a user comment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference.api.infotext.readers import GenerationInfo, clamp_fields, read_json

SWARMUI_NAME = "SwarmUI"
SETTINGS_KEY = "sui_image_params"
#: Its names to the web UIs' keys.
INFOTEXT_KEYS: Mapping[str, str] = {
    "steps": "Steps",
    "sampler": "Sampler",
    "scheduler": "Schedule type",
    "cfgscale": "CFG scale",
    "seed": "Seed",
    "model": "Model",
    "vae": "VAE",
    "variationseed": "Variation seed",
    "variationseedstrength": "Variation seed strength",
    "refinersteps": "Hires steps",
    "refinerupscale": "Hires upscale",
    "refinercfgscale": "Hires CFG Scale",
    "refinercontrolpercentage": "Denoising strength",
    "refinermodel": "Refiner",
    "controlnetmodel": "ControlNet",
    "freeu": "FreeU",
}
#: Settings of its second pass, which count only where that enlarges.
SECOND_PASS_NAMES = ("refinersteps", "refinercfgscale", "refinercontrolpercentage")
UNSET_VALUES = ("", "(Use Base)", "None", "Automatic")
MAX_LORAS = 50


def read_swarm(texts: Mapping[str, str]) -> GenerationInfo | None:
    """Read SwarmUI's settings; None where the texts are not its own."""
    settings = read_json(texts.get("parameters"))
    if isinstance(settings, Mapping):
        settings = settings.get(SETTINGS_KEY)
    settings = settings or read_json(texts.get(SETTINGS_KEY))
    if not isinstance(settings, Mapping):
        return None
    plain = {str(name).lower().replace(" ", ""): value for name, value in settings.items()}
    values = {
        key: plain[name]
        for name, key in INFOTEXT_KEYS.items()
        if str(plain.get(name, "")) not in UNSET_VALUES
    }
    if "refinerupscale" in plain:
        values["Hires upscaler"] = _upscaler_name(str(plain.get("refinerupscalemethod", "")))
    else:
        for name in SECOND_PASS_NAMES:
            values.pop(INFOTEXT_KEYS[name], None)
    if "initimage" in plain or "initimagecreativity" in plain:
        values["Denoising strength"] = plain.get("initimagecreativity")
    layer = plain.get("clipstopatlayer")
    if isinstance(layer, int) and -12 <= layer < 0:
        values["Clip skip"] = -layer
    if plain.get("width") and plain.get("height"):
        values["Size"] = f"{plain['width']}x{plain['height']}"
    values["RNG"] = "CPU"
    prompt = " ".join([str(plain.get("prompt") or ""), *_lora_tags(plain)])
    return GenerationInfo(**clamp_fields(SWARMUI_NAME, prompt, plain.get("negativeprompt"), values))


def _upscaler_name(method: str) -> str:
    """Give the web UIs' name of `pixel-lanczos`, `latent-bilinear` or `model-4x.pth`."""
    how, _, name = method.partition("-")
    if how == "latent":
        return "Latent" if name == "bilinear" else f"Latent ({name})"
    return name or "Lanczos"


def _lora_tags(settings: Mapping[str, Any]) -> list[str]:
    names, weights = (_as_list(settings.get(key)) for key in ("loras", "loraweights"))
    return [
        f"<lora:{name}:{weights[number] if number < len(weights) else 1}>"
        for number, name in enumerate(names[:MAX_LORAS])
        if name
    ]


def _as_list(value: object) -> list[str]:
    """Give the parts of a list, or of a text with commas between them."""
    parts = value if isinstance(value, list) else str(value or "").split(",")
    return [str(part).strip().replace("\\", "/").rpartition("/")[2] for part in parts if str(part)]
