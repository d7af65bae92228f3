"""Secrets taken out of texts by their shape, wherever they come from.

A list of places where secrets may be would always lack one: tokens sit in addresses, addresses in
exceptions, exceptions in logs.
"""

from __future__ import annotations

import re
from typing import Any

GONE = "[redacted]"

#: Each shape, and what stays of it.
SHAPES = (
    # Webhooks and interactions carry their token in the path.
    (re.compile(r"(/webhooks/\d+/)[\w.-]{8,}"), rf"\1{GONE}"),
    (re.compile(r"(/interactions/\d+/)[\w.-]{8,}"), rf"\1{GONE}"),
    # An interaction's token is "interaction:…" in base 64.
    (re.compile(r"aW50ZXJhY3Rpb246[\w-]{20,}={0,2}"), GONE),
    # A bot's token: its id in base 64, a time, a signature.
    (re.compile(r"\b[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}"), GONE),
    (re.compile(r"\bmfa\.[\w-]{20,}"), GONE),
    (re.compile(r"\bhf_[A-Za-z0-9]{20,}"), GONE),
    (
        re.compile(
            r"""(authorization['"]?\s*[:=,]\s*['"]?)(?:(?:bot|bearer|basic)\s+)?[^\s'",}]+""", re.I
        ),
        rf"\1{GONE}",
    ),
    (re.compile(r"\b((?:bot|bearer)\s+)[\w-]{10,}\.[\w.-]{10,}", re.I), rf"\1{GONE}"),
    # A name that says so, with its value.
    (
        re.compile(
            r"""((?:token|secret|password|api_key)['"]?\s*[:=]\s*['"]?)(?!\[redacted\])"""
            r"""[^\s'",;&}<>()]{6,}""",
            re.I,
        ),
        rf"\1{GONE}",
    ),
    # Signatures of Discord's attachment addresses.
    (re.compile(r"\b(hm=)[0-9a-f]{16,}"), rf"\1{GONE}"),
)


def redacted(text: str) -> str:
    """Return the text without what looks like a secret."""
    for shape, rest in SHAPES:
        text = shape.sub(rest, text)
    return text


def redacted_values(value: Any) -> Any:
    """Do so to every text in a structure; what is neither text nor structure becomes text."""
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {redacted(str(key)): redacted_values(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [redacted_values(item) for item in value]
        case _:
            return redacted(str(value))
