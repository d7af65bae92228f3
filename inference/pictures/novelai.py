"""Read the JSON that NovelAI writes into its PNG files, as a `parameters` text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from inference.pictures.infotext import format_infotext

#: NovelAI's sampler names and what the rest of the ecosystem calls them.
SAMPLERS: Mapping[str, str] = {
    "k_euler": "Euler",
    "k_euler_ancestral": "Euler a",
    "k_dpm_2": "DPM2",
    "k_dpm_2_ancestral": "DPM2 a",
    "k_dpmpp_2m": "DPM++ 2M",
    "k_dpmpp_2s_ancestral": "DPM++ 2S a",
    "k_dpmpp_sde": "DPM++ SDE",
    "k_lms": "LMS",
    "ddim": "DDIM",
    "ddim_v3": "DDIM",
    "plms": "PLMS",
}


def infotext(chunks: Mapping[Any, object], size: tuple[int, int]) -> str | None:
    """Return NovelAI's settings as a `parameters` text, None where the chunks are not NovelAI's.

    `chunks` are a PNG's text chunks; `size` is the picture's width and height in pixels, which
    NovelAI does not always repeat.
    """
    if chunks.get("Software") != "NovelAI":
        return None
    try:
        settings = json.loads(str(chunks.get("Comment", "")))
    except ValueError:
        return None
    if not isinstance(settings, dict):
        return None
    sampler = str(settings.get("sampler", ""))
    return format_infotext(
        str(chunks.get("Description") or settings.get("prompt") or ""),
        str(settings.get("uc") or ""),
        {
            "Steps": settings.get("steps"),
            "Sampler": SAMPLERS.get(sampler, "Euler a"),
            "CFG scale": settings.get("scale"),
            "Seed": settings.get("seed"),
            "Size": f"{settings.get('width') or size[0]}x{settings.get('height') or size[1]}",
            "Denoising strength": settings.get("strength"),
            "Clip skip": 2,
            "ENSD": 31337,
        },
    )
