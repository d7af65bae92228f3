"""Read the JSON that NovelAI writes into its files, as text or hidden in the alpha channel."""

from __future__ import annotations

from collections.abc import Mapping

from inference.infotext import names
from inference.infotext.told import Told, bounded, read_json

TOOL = "NovelAI"
#: Settings that change the picture and that only NovelAI has.
OWN = ("sm", "sm_dyn", "dynamic_thresholding", "cfg_rescale", "uncond_scale", "noise")


def read(texts: Mapping[str, str]) -> Told | None:
    """Read NovelAI's settings; None where the texts are not its own."""
    settings = read_json(texts.get("Comment"))
    named = texts.get("Software") == TOOL
    if not isinstance(settings, Mapping) or not (named or {"uc", "scale"} <= settings.keys()):
        return None
    sampler = str(settings.get("sampler", ""))
    values = {
        "Steps": settings.get("steps"),
        "Sampler": sampler,
        "Schedule type": settings.get("noise_schedule") if names.sampler(sampler)[0] else None,
        "CFG scale": settings.get("scale"),
        "Seed": settings.get("seed"),
        "Size": _size(settings),
        "Denoising strength": settings.get("strength"),
        "Model": texts.get("Source"),
        "Clip skip": 2,
        "RNG": "CPU",
        **{key: settings.get(key) for key in OWN if settings.get(key)},
    }
    prompt = settings.get("prompt") or texts.get("Description")
    return Told(**bounded(TOOL, prompt, settings.get("uc"), values))


def _size(settings: Mapping[str, object]) -> str:
    width, height = settings.get("width"), settings.get("height")
    return f"{width}x{height}" if width and height else ""
