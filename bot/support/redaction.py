"""Secrets taken out of texts by their shape, wherever they come from.

A list of places where secrets may be would always lack one: tokens sit in addresses, addresses in
exceptions, exceptions in logs.
"""

from __future__ import annotations

import re
from typing import Any

REDACTED_TEXT = "[redacted]"

#: Each shape, and what stays of it.
SECRET_PATTERNS = (
    # Webhooks and interactions carry their token in the path.
    (re.compile(r"(/webhooks/\d+/)[\w.-]{8,}"), rf"\1{REDACTED_TEXT}"),
    (re.compile(r"(/interactions/\d+/)[\w.-]{8,}"), rf"\1{REDACTED_TEXT}"),
    # An interaction's token is "interaction:…" in base 64.
    (re.compile(r"aW50ZXJhY3Rpb246[\w-]{20,}={0,2}"), REDACTED_TEXT),
    # A bot's token: its id in base 64, a time, a signature.
    (re.compile(r"\b[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}"), REDACTED_TEXT),
    (re.compile(r"\bmfa\.[\w-]{20,}"), REDACTED_TEXT),
    (re.compile(r"\bhf_[A-Za-z0-9]{20,}"), REDACTED_TEXT),
    (
        re.compile(
            r"""(authorization['"]?\s*[:=,]\s*['"]?)(?:(?:bot|bearer|basic)\s+)?[^\s'",}]+""", re.I
        ),
        rf"\1{REDACTED_TEXT}",
    ),
    (re.compile(r"\b((?:bot|bearer)\s+)[\w-]{10,}\.[\w.-]{10,}", re.I), rf"\1{REDACTED_TEXT}"),
    # A name that says so, with its value.
    (
        re.compile(
            r"""((?:token|secret|password|api_key)['"]?\s*[:=]\s*['"]?)(?!\[redacted\])"""
            r"""[^\s'",;&}<>()]{6,}""",
            re.I,
        ),
        rf"\1{REDACTED_TEXT}",
    ),
    # Signatures of Discord's attachment addresses.
    (re.compile(r"\b(hm=)[0-9a-f]{16,}"), rf"\1{REDACTED_TEXT}"),
)


def redact_secrets(text: str) -> str:
    """Return the text without what looks like a secret."""
    for shape, replacement in SECRET_PATTERNS:
        text = shape.sub(replacement, text)
    return text


def redact_values(value: Any) -> Any:
    """Do so to every text in a structure; what is neither text nor structure becomes text."""
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {redact_secrets(str(key)): redact_values(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [redact_values(item) for item in value]
        case _:
            return redact_secrets(str(value))
