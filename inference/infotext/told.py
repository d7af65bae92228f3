"""Find out what a file's texts tell, whichever program wrote them, in the web UIs' terms."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from inference.infotext.text import parse_infotext

MAX_TEXT = 20_000  # characters of a prompt; jobs take fewer
MAX_VALUE = 2_000  # characters
MAX_VALUES = 200
#: Bytes of a text that is taken apart at all: graphs of hundreds of nodes have fewer.
MAX_SOURCE = 2**20


@dataclass(frozen=True)
class Told:
    """What a file says: prompts, and values under the keys of the web UIs' `parameters`."""

    tool: str
    prompt: str = ""
    negative: str = ""
    values: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> dict[str, Any]:
        """Write it as plain JSON."""
        return {
            "tool": self.tool,
            "prompt": self.prompt,
            "negative": self.negative,
            "values": dict(self.values),
        }

    @classmethod
    def decode(cls, told: Any) -> Self | None:
        """Read it back from another process, which may lie; None where it is none."""
        if not isinstance(told, Mapping) or not isinstance(told.get("values"), Mapping):
            return None
        texts = {name: str(told.get(name, "")) for name in ("tool", "prompt", "negative")}
        return cls(**bounded(texts["tool"], texts["prompt"], texts["negative"], told["values"]))


def bounded(
    tool: str, prompt: object, negative: object, values: Mapping[Any, object]
) -> dict[str, Any]:
    """Give a `Told`'s fields, none of them longer than anything a program writes."""
    kept = {
        str(key)[:80]: str(value).strip()[:MAX_VALUE]
        for key, value in list(values.items())[:MAX_VALUES]
        if _says_something(value)
    }
    return {
        "tool": tool[:40],
        "prompt": str(prompt or "").strip()[:MAX_TEXT],
        "negative": str(negative or "").strip()[:MAX_TEXT],
        "values": kept,
    }


def _says_something(value: object) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return isinstance(value, str | int | float) and value != ""


def read_json(text: object) -> Any:
    """Read JSON of bounded length; None for whatever is none."""
    if not isinstance(text, str) or len(text) > MAX_SOURCE:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def web_ui(text: str, tool: str = "web UI") -> Told | None:
    """Read a `parameters` text; None where it has no line of settings."""
    read = parse_infotext(text[:MAX_SOURCE])
    if "Steps" not in read.values and "Seed" not in read.values:
        return None
    return Told(**bounded(tool, read.prompt, read.negative, read.values))


def read_told(texts: Mapping[str, str]) -> Told | None:
    """Read a file's texts by their names; None where they say nothing of a picture's making.

    The EXIF user comment stands among them as `parameters`, text hidden in pixels as `stealth`.
    """
    from inference.infotext import comfy, fooocus, invoke, novelai

    readers: tuple[Callable[[Mapping[str, str]], Told | None], ...] = (
        fooocus.read,
        _parameters,
        invoke.read,
        novelai.read,
        comfy.read,
        _hidden,
    )
    for reader in readers:
        told = reader(texts)
        if told is not None:
            return told
    return None


def _parameters(texts: Mapping[str, str]) -> Told | None:
    return web_ui(texts.get("parameters", ""))


def _hidden(texts: Mapping[str, str]) -> Told | None:
    """Read what was hidden in the pixels: a `parameters` text, or the other texts as JSON."""
    hidden = texts.get("stealth", "")
    inner = read_json(hidden)
    if not isinstance(inner, Mapping):
        return web_ui(hidden)
    return read_told({str(key): value for key, value in inner.items() if isinstance(value, str)})
