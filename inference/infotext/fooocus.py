"""Read what Fooocus writes: JSON under its own names, or the web UIs' layout with its own keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from inference.infotext.told import Told, bounded, read_json, web_ui

TOOL = "Fooocus"
#: Its names, and the labels of its first versions, to the web UIs' keys.
KEYS: Mapping[str, str] = {
    "steps": "Steps",
    "sampler": "Sampler",
    "scheduler": "Schedule type",
    "guidance_scale": "CFG scale",
    "seed": "Seed",
    "base_model": "Model",
    "base_model_hash": "Model hash",
    "clip_skip": "Clip skip",
    "refiner_model": "Refiner",
    "refiner_switch": "Refiner switch at",
    "styles": "Styles",
    "performance": "Performance",
    "sharpness": "Sharpness",
    "adm_guidance": "ADM guidance",
    "adaptive_cfg": "Adaptive CFG",
    "vae": "VAE",
    "freeu": "FreeU",
}
#: Values that stand for "none" or for what it always does.
SILENT = ("None", "Default (model)", "[]")
#: Steps of its performances, which its first versions did not write.
PERFORMANCES: Mapping[str, int] = {
    "Quality": 60,
    "Speed": 30,
    "Extreme Speed": 8,
    "Lightning": 4,
    "Hyper-SD": 4,
}
MAX_LORAS = 50

_SIZE = re.compile(r"\D*(\d{1,5})\D+(\d{1,5})\D*")
_LORA = re.compile(r"(?P<name>[^,:]{1,200}): *(?P<weight>-?[\d.]{1,8})(?:,|$)")


def read(texts: Mapping[str, str]) -> Told | None:
    """Read Fooocus' settings; None where the texts are not its own."""
    text = texts.get("parameters", "")
    settings = read_json(text)
    if isinstance(settings, Mapping):
        return _own(settings)
    told = web_ui(text, TOOL)
    if told is None or not told.values.get("Version", "").startswith(TOOL):
        return None
    values = {key: value for key, value in told.values.items() if key not in _INNER}
    if "Scheduler" in told.values:
        values["Schedule type"] = told.values["Scheduler"]
    values["RNG"] = "CPU"
    prompt = _with_loras(told.prompt, _LORA.findall(told.values.get("Lora weights", "")))
    return replace(told, prompt=prompt, values=values)


_INNER = ("Scheduler", "Raw prompt", "Raw negative prompt", "Lora weights", "Lora hashes")


def _own(settings: Mapping[Any, Any]) -> Told | None:
    """Read its own JSON: names in small letters, or the labels of early versions."""
    plain = {str(key).strip().lower().replace(" ", "_"): value for key, value in settings.items()}
    if not {"prompt", "seed"} <= plain.keys() or "guidance_scale" not in plain:
        return None
    values = {KEYS[key]: plain[key] for key in KEYS if str(plain.get(key)) not in SILENT}
    values.setdefault("Steps", PERFORMANCES.get(str(plain.get("performance"))))
    size = _SIZE.fullmatch(str(plain.get("resolution", ""))[:40])
    values["Size"] = f"{size[1]}x{size[2]}" if size else ""
    values["RNG"] = "CPU"
    # The styles' words are in the full prompt already: running it again must not add them twice.
    prompt = _joined(plain.get("full_prompt")) or plain["prompt"]
    negative = _joined(plain.get("full_negative_prompt")) or plain.get("negative_prompt")
    if _joined(plain.get("full_prompt")):
        values.pop("Styles", None)
    prompt = _with_loras(str(prompt or ""), _loras(plain))
    return Told(**bounded(TOOL, prompt, negative, values))


def _joined(parts: object) -> str:
    if not isinstance(parts, list):
        return ""
    return ", ".join(part for part in parts[:100] if isinstance(part, str) and part)


def _loras(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """List names and weights, from `loras` or from `lora_combined_1` and so on."""
    listed = settings.get("loras")
    if isinstance(listed, list):
        for one in listed[:MAX_LORAS]:
            if isinstance(one, list) and len(one) >= 2:
                yield str(one[0]), str(one[1])
        return
    for key, value in list(settings.items())[:1000]:
        name, sign, weight = str(value).rpartition(" : ")
        if key.startswith("lora_combined_") and sign:
            yield name, weight


def _with_loras(prompt: str, loras: Any) -> str:
    tags = [
        f"<lora:{_stem(name)}:{weight.strip()}>"
        for name, weight in list(loras)[:MAX_LORAS]
        if name.strip() and name != "None"
    ]
    return " ".join([prompt, *tags]).strip()


def _stem(name: str) -> str:
    return name.strip().replace("\\", "/").rpartition("/")[2].removesuffix(".safetensors")
