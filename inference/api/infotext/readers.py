"""Find out what a file's texts tell, whichever program wrote them, in the web UIs' terms."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from inference.api.infotext.text import parse_infotext

WEB_UI_NAME = "web UI"
MAX_PROMPT_CHARS = 20_000  # characters of a prompt; jobs take fewer
MAX_VALUE_CHARS = 2_000  # characters
MAX_VALUES = 200
#: Values that are prompts themselves.
LONG_VALUES = dict.fromkeys(
    ("Hires prompt", "Hires negative prompt", "Appended interrogation"), MAX_PROMPT_CHARS
)
#: Bytes of a text that is taken apart at all: graphs of hundreds of nodes have fewer.
MAX_SOURCE_BYTES = 2**20


@dataclass(frozen=True)
class GenerationInfo:
    """What a file says: prompts, and values under the keys of the web UIs' `parameters`."""

    tool: str
    prompt: str = ""
    negative: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    #: Whether a file holds this program's record, but one that cannot be followed.
    is_unread: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Write it as plain JSON."""
        return {
            "tool": self.tool,
            "prompt": self.prompt,
            "negative": self.negative,
            "values": dict(self.values),
            "unread": self.is_unread,
        }

    @classmethod
    def from_dict(cls, data: Any) -> Self | None:
        """Read it back from another process, which may lie; None where it is none."""
        if not isinstance(data, Mapping) or not isinstance(data.get("values"), Mapping):
            return None
        texts = {name: str(data.get(name, "")) for name in ("tool", "prompt", "negative")}
        return cls(
            **clamp_fields(texts["tool"], texts["prompt"], texts["negative"], data["values"]),
            is_unread=data.get("unread") is True,
        )


def clamp_fields(
    tool: str, prompt: object, negative: object, values: Mapping[Any, object]
) -> dict[str, Any]:
    """Give a `GenerationInfo`'s fields, none of them longer than anything a program writes."""
    clamped_values = {
        str(key)[:80]: str(value).strip()[: LONG_VALUES.get(str(key), MAX_VALUE_CHARS)]
        for key, value in list(values.items())[:MAX_VALUES]
        if _has_content(value)
    }
    return {
        "tool": tool[:40],
        "prompt": str(prompt or "").strip()[:MAX_PROMPT_CHARS],
        "negative": str(negative or "").strip()[:MAX_PROMPT_CHARS],
        "values": clamped_values,
    }


def _has_content(value: object) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return isinstance(value, str | int | float) and value != ""


def read_json(text: object) -> Any:
    """Read JSON of bounded length; None for whatever is none."""
    if not isinstance(text, str) or len(text) > MAX_SOURCE_BYTES:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def parse_web_ui(text: str, tool: str = WEB_UI_NAME) -> GenerationInfo | None:
    """Read a `parameters` text; None where it has no line of settings."""
    infotext = parse_infotext(text[:MAX_SOURCE_BYTES])
    if not infotext.values.keys() & {"Steps", "Seed", "Postprocess upscaler"}:
        return None
    return GenerationInfo(**clamp_fields(tool, infotext.prompt, infotext.negative, infotext.values))


def read_generation_info(texts: Mapping[str, str]) -> GenerationInfo | None:
    """Read a file's texts by their names; None where they say nothing of a picture's making.

    The EXIF user comment stands among them as `parameters`, text hidden in pixels as `stealth`.
    """
    from inference.api.infotext import comfy, fooocus, invoke, novelai, swarm

    readers: tuple[Callable[[Mapping[str, str]], GenerationInfo | None], ...] = (
        swarm.read_swarm,
        fooocus.read_fooocus,
        _read_parameters,
        invoke.read_invoke,
        novelai.read_novelai,
        comfy.read_comfy_graph,
        _read_hidden,
    )
    for reader in readers:
        info = reader(texts)
        if info is not None:
            return info
    return None


def _read_parameters(texts: Mapping[str, str]) -> GenerationInfo | None:
    return parse_web_ui(texts.get("parameters", ""))


def _read_hidden(texts: Mapping[str, str]) -> GenerationInfo | None:
    """Read what was hidden in the pixels: a `parameters` text, or the other texts as JSON."""
    hidden_text = texts.get("stealth", "")
    inner = read_json(hidden_text)
    if not isinstance(inner, Mapping):
        return parse_web_ui(hidden_text)
    return read_generation_info(
        {str(key): value for key, value in inner.items() if isinstance(value, str)}
    )
