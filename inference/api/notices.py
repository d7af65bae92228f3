"""What a worker says of a job: a code with parameters, put into words where somebody reads it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

PLACEHOLDER_PATTERN = re.compile(r"\{(\w+)\}")
NOTICES: Mapping[str, str] = json.loads(
    Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
)
"""The English sentence of each code, with holes named as its parameters.

A hole `option` holds an option's name, which each language calls as its slash commands do.
"""


@dataclass(frozen=True, init=False)
class Notice:
    """A code with its parameters: plain JSON values, and notices within it as JSON objects."""

    code: str
    params: Mapping[str, Any] = field(hash=False)

    def __init__(self, code: str, /, **params: Any) -> None:
        object.__setattr__(self, "code", code)
        json_params = {name: _to_json(value) for name, value in params.items()}
        object.__setattr__(self, "params", json_params)

    @classmethod
    def from_json(cls, fields: Any) -> Self:
        """Read a notice from its JSON object.

        Raises:
            TypeError: it is none.
        """
        match fields:
            case {"code": str(code), "params": dict(params)}:
                return cls(code, **params)
        raise TypeError(f"This is no notice: {fields!r}")

    def to_json(self) -> dict[str, Any]:
        """Write it as a JSON object."""
        return {"code": self.code, "params": dict(self.params)}

    def to_text(self) -> str:
        """Write it as text for a column of the database."""
        return json.dumps(self.to_json(), ensure_ascii=False)

    @property
    def template(self) -> str:
        """The English sentence with its holes; a code that is not known stands for itself."""
        known = NOTICES.get(self.code)
        if known is not None or not self.params:
            return known or self.code
        return f"{self.code} ({', '.join(f'{name}: {{{name}}}' for name in self.params)})"

    def __str__(self) -> str:
        return fill_placeholders(
            self.template, {name: _to_english(name, value) for name, value in self.params.items()}
        )


def read_notice(stored: Mapping[str, Any] | str) -> Notice:
    """Read a stored notice; a text that is none, as older versions stored, stands for itself."""
    try:
        if isinstance(stored, str):
            return Notice.from_json(json.loads(stored))
        return Notice.from_json(stored)
    except (ValueError, TypeError):
        return Notice(str(stored))


def format_number(value: float) -> str:
    """Write a number out: a whole one with all of its digits, another one short."""
    return str(int(value)) if math.isfinite(value) and value == int(value) else f"{value:g}"


def fill_placeholders(words: str, values: Mapping[str, Any]) -> str:
    """Fill the holes that there is something for; other braces are a member's own."""
    return PLACEHOLDER_PATTERN.sub(lambda hole: str(values.get(hole[1], hole[0])), words)


def _to_json(value: Any) -> Any:
    match value:
        case Notice():
            return value.to_json()
        case str() | int() | float() | dict() | None:
            return value
    return str(value)


def _to_english(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return str(read_notice(value))
    return str(value).replace("_", " ") if name == "option" else str(value)
