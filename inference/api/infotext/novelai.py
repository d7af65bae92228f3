"""Read the JSON that NovelAI writes into its files, as text or hidden in the alpha channel."""

from __future__ import annotations

from collections.abc import Mapping

from inference.api.infotext import names
from inference.api.infotext.readers import GenerationInfo, clamp_fields, read_json

NOVELAI_NAME = "NovelAI"
#: Settings that change the picture and that only NovelAI has.
NOVELAI_KEYS = ("sm", "sm_dyn", "dynamic_thresholding", "cfg_rescale", "uncond_scale", "noise")


def read_novelai(texts: Mapping[str, str]) -> GenerationInfo | None:
    """Read NovelAI's settings; None where the texts are not its own."""
    settings = read_json(texts.get("Comment"))
    is_novelai = texts.get("Software") == NOVELAI_NAME
    if not isinstance(settings, Mapping) or not (is_novelai or {"uc", "scale"} <= settings.keys()):
        return None
    sampler = str(settings.get("sampler", ""))
    values = {
        "Steps": settings.get("steps"),
        "Sampler": sampler,
        "Schedule type": settings.get("noise_schedule") if names.find_sampler(sampler)[0] else None,
        "CFG scale": settings.get("scale"),
        "Seed": settings.get("seed"),
        "Size": _size_text(settings),
        "Denoising strength": settings.get("strength"),
        "Model": texts.get("Source"),
        "Clip skip": 2,
        "RNG": "CPU",
        **{key: settings.get(key) for key in NOVELAI_KEYS if settings.get(key)},
    }
    prompt = settings.get("prompt") or texts.get("Description")
    return GenerationInfo(**clamp_fields(NOVELAI_NAME, prompt, settings.get("uc"), values))


def _size_text(settings: Mapping[str, object]) -> str:
    width, height = settings.get("width"), settings.get("height")
    return f"{width}x{height}" if width and height else ""
