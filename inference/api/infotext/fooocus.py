"""Read what Fooocus writes: JSON under its own names, or the web UIs' layout with its own keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from inference.api.infotext.readers import GenerationInfo, clamp_fields, parse_web_ui, read_json

FOOOCUS_NAME = "Fooocus"
#: Its names, and the labels of its first versions, to the web UIs' keys.
INFOTEXT_KEYS: Mapping[str, str] = {
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
UNSET_VALUES = ("None", "Default (model)", "[]")
#: Steps of its performances, which its first versions did not write.
PERFORMANCE_STEPS: Mapping[str, int] = {
    "Quality": 60,
    "Speed": 30,
    "Extreme Speed": 8,
    "Lightning": 4,
    "Hyper-SD": 4,
}
MAX_LORAS = 50

_RESOLUTION_PATTERN = re.compile(r"\D*(\d{1,5})\D+(\d{1,5})\D*")
_LORA_PATTERN = re.compile(r"(?P<name>[^,:]{1,200}): *(?P<weight>-?[\d.]{1,8})(?:,|$)")


def read_fooocus(texts: Mapping[str, str]) -> GenerationInfo | None:
    """Read Fooocus' settings; None where the texts are not its own."""
    text = texts.get("parameters", "")
    settings = read_json(text)
    if isinstance(settings, Mapping):
        return _read_json_settings(settings)
    info = parse_web_ui(text, FOOOCUS_NAME)
    if info is None or not info.values.get("Version", "").startswith(FOOOCUS_NAME):
        return None
    values = {key: value for key, value in info.values.items() if key not in _REDUNDANT_KEYS}
    if "Scheduler" in info.values:
        values["Schedule type"] = info.values["Scheduler"]
    values["RNG"] = "CPU"
    prompt = _with_loras(info.prompt, _LORA_PATTERN.findall(info.values.get("Lora weights", "")))
    return replace(info, prompt=prompt, values=values)


_REDUNDANT_KEYS = ("Scheduler", "Raw prompt", "Raw negative prompt", "Lora weights", "Lora hashes")


def _read_json_settings(settings: Mapping[Any, Any]) -> GenerationInfo | None:
    """Read its own JSON: names in small letters, or the labels of early versions."""
    plain = {str(key).strip().lower().replace(" ", "_"): value for key, value in settings.items()}
    if not {"prompt", "seed"} <= plain.keys() or "guidance_scale" not in plain:
        return None
    values = {
        INFOTEXT_KEYS[key]: plain[key]
        for key in INFOTEXT_KEYS
        if str(plain.get(key)) not in UNSET_VALUES
    }
    values.setdefault("Steps", PERFORMANCE_STEPS.get(str(plain.get("performance"))))
    size = _RESOLUTION_PATTERN.fullmatch(str(plain.get("resolution", ""))[:40])
    values["Size"] = f"{size[1]}x{size[2]}" if size else ""
    values["RNG"] = "CPU"
    # The styles' words are in the full prompt already: running it again must not add them twice.
    prompt = _join_texts(plain.get("full_prompt")) or plain["prompt"]
    negative = _join_texts(plain.get("full_negative_prompt")) or plain.get("negative_prompt")
    if _join_texts(plain.get("full_prompt")):
        values.pop("Styles", None)
    prompt = _with_loras(str(prompt or ""), _iter_loras(plain))
    return GenerationInfo(**clamp_fields(FOOOCUS_NAME, prompt, negative, values))


def _join_texts(parts: object) -> str:
    if not isinstance(parts, list):
        return ""
    return ", ".join(part for part in parts[:100] if isinstance(part, str) and part)


def _iter_loras(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """List names and weights, from `loras` or from `lora_combined_1` and so on."""
    lora_entries = settings.get("loras")
    if isinstance(lora_entries, list):
        for entry in lora_entries[:MAX_LORAS]:
            if isinstance(entry, list) and len(entry) >= 2:
                yield str(entry[0]), str(entry[1])
        return
    for key, value in list(settings.items())[:1000]:
        name, sign, weight = str(value).rpartition(" : ")
        if key.startswith("lora_combined_") and sign:
            yield name, weight


def _with_loras(prompt: str, loras: Any) -> str:
    tags = [
        f"<lora:{_lora_name(name)}:{weight.strip()}>"
        for name, weight in list(loras)[:MAX_LORAS]
        if name.strip() and name != "None"
    ]
    return " ".join([prompt, *tags]).strip()


def _lora_name(name: str) -> str:
    return name.strip().replace("\\", "/").rpartition("/")[2].removesuffix(".safetensors")
