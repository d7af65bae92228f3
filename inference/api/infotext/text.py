"""The `parameters` text: prompt, negative prompt and one line of settings, written and read.

The layout is the one that AUTOMATIC1111's web UI made common and that every tool of the ecosystem
reads: the prompt, a line `Negative prompt: …` where there is one, and last `Key: value, Key: value`
with JSON quotes around a value that would break the line apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

NEGATIVE_MARKER = "Negative prompt:"

#: The order of the known keys; keys not listed stand between these and `LAST_KEYS`, as given.
KEY_ORDER = (
    "Steps",
    "Sampler",
    "Schedule type",
    "CFG scale",
    "Image CFG scale",
    "Seed",
    "Face restoration",
    "Size",
    "Model hash",
    "Model",
    "VAE hash",
    "VAE",
    "Variation seed",
    "Variation seed strength",
    "Seed resize from",
    "Denoising strength",
    "Conditional mask weight",
    "Clip skip",
    "ENSD",
    "Token merging ratio",
    "Init image hash",
    "RNG",
    "Tiling",
    "Pad conds",
    "Mask blur",
    "Inpaint area",
    "Masked area padding",
    "Masked content",
    "Mask mode",
)
LAST_KEYS = ("Version", "User")

#: What a reader may take for granted where a key is missing.
READING_DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "Clip skip": "1",
        "Inpaint area": "Whole picture",
        "Masked area padding": "32",
        "Masked content": "original",
        "RNG": "GPU",
        "Schedule type": "Automatic",
    }
)

#: Values that say nothing and are therefore not written.
UNWRITTEN_VALUES: Mapping[str, str] = MappingProxyType(
    {
        "Clip skip": "1",
        "ENSD": "0",
        "Inpaint area": "Whole picture",
        "Mask mode": "Inpaint masked",
        "Masked content": "original",
        "Noise multiplier": "1",
        "RNG": "GPU",
        "Variation seed strength": "0",
    }
)

#: Fewer pairs than this on the last line, and the line belongs to the prompt.
MIN_SETTING_PAIRS = 3

# Lengths are bounded because a text may come from anyone's file: a search that can run to the end
# of a megabyte from each of its signs would not return.
_PAIR_PATTERN = re.compile(
    r"""
    \s{0,16}+ (?P<key> (?<!\w) \w [\w\ \-/]{1,60}+ ) :
    \s* (?P<value> "(?: [^"\\] | \\. )+" | [^,]* )
    (?: , | $ )
    """,
    re.VERBOSE,
)
_SIZE_PATTERN = re.compile(r"(\d+)x(\d+)")


@dataclass(frozen=True)
class Infotext:
    """What a `parameters` text says."""

    prompt: str = ""
    negative: str = ""
    #: Every value as text, unquoted. `Size` (and any other WxH) comes with `Size-1` and `Size-2`.
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Width and height in pixels, None where the text has no size."""
        match = _SIZE_PATTERN.fullmatch(self.values.get("Size", ""))
        return (int(match[1]), int(match[2])) if match else None


def format_infotext(
    prompt: str, negative: str = "", values: Mapping[str, object] | None = None
) -> str:
    """Write a `parameters` text.

    A value may be text, a number or None; None and False are left out, and so is a value that a
    reader restores on its own. True is written as `True`, a whole float without its `.0`.
    """
    lines = [prompt.strip()] if prompt.strip() else []
    if negative.strip():
        lines.append(f"{NEGATIVE_MARKER} {negative.strip()}")
    written_values = _values_to_write(
        {key: _as_text(value) for key, value in (values or {}).items()}
    )
    if written_values:
        lines.append(
            ", ".join(
                f"{key}: {quote_value(written_values[key])}"
                for key in _ordered_keys(written_values)
            )
        )
    return "\n".join(lines)


def parse_infotext(text: str) -> Infotext:
    """Read a `parameters` text; any text is accepted, at worst all of it is the prompt.

    Missing keys of `READING_DEFAULTS` are filled in when the text has a line of settings.
    """
    lines = text.strip().split("\n")
    pairs = [(pair["key"].strip(), pair["value"]) for pair in _PAIR_PATTERN.finditer(lines[-1])]
    values: dict[str, str] = {}
    if len(pairs) >= MIN_SETTING_PAIRS:
        lines.pop()
        values = _read_values(pairs)
    prompt, negative = _split_prompts(lines)
    return Infotext(prompt, negative, values)


def quote_value(text: str) -> str:
    """Return a value as the settings line can hold it, JSON-quoted where it must be."""
    plain = not any(sign in text for sign in ",:\n\r") and text == text.strip()
    return text if plain and not text.startswith('"') else json.dumps(text, ensure_ascii=False)


def unquote_value(text: str) -> str:
    """Return the value behind `quote`; text that is not a JSON string is returned as it is."""
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text


def _as_text(value: object) -> str | None:
    if value is None or value is False:
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _values_to_write(values: Mapping[str, str | None]) -> dict[str, str]:
    written_values = {
        key: value
        for key, value in values.items()
        if value is not None and UNWRITTEN_VALUES.get(key) != value and not _is_half(key, values)
    }
    padding = written_values.get("Masked area padding")
    is_whole = written_values.get("Inpaint area", "Whole picture") == "Whole picture"
    if is_whole and padding == READING_DEFAULTS["Masked area padding"]:
        del written_values["Masked area padding"]
    return written_values


def _is_half(key: str, values: Mapping[str, str | None]) -> bool:
    """Whether a key is one half of a size that is there as a whole, such as `Size-1`."""
    return key.endswith(("-1", "-2")) and bool(_SIZE_PATTERN.fullmatch(values.get(key[:-2]) or ""))


def _ordered_keys(values: Mapping[str, str]) -> list[str]:
    known_keys = [key for key in KEY_ORDER if key in values]
    last = [key for key in LAST_KEYS if key in values]
    return [*known_keys, *(key for key in values if key not in {*known_keys, *last}), *last]


def _read_values(pairs: list[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for key, raw in pairs:
        value = unquote_value(raw.strip())
        values[key] = value
        if size := _SIZE_PATTERN.fullmatch(value):
            values[f"{key}-1"], values[f"{key}-2"] = size[1], size[2]
    for key, default in READING_DEFAULTS.items():
        values.setdefault(key, default)
    return values


def _split_prompts(lines: list[str]) -> tuple[str, str]:
    """Split at the first line that begins with the negative marker; later markers are dropped."""
    prompt: list[str] = []
    negative: list[str] = []
    current = prompt
    for line in (line.strip() for line in lines):
        if line.startswith(NEGATIVE_MARKER):
            current = negative
            current.append(line.removeprefix(NEGATIVE_MARKER).strip())
        else:
            current.append(line)
    return "\n".join(prompt).strip(), "\n".join(negative).strip()
