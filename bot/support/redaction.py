"""Take secrets out of text by their shape, wherever they come from and however they are written.

A list of places where they may be would always lack one, as tokens sit in addresses, addresses in
exceptions, exceptions in logs.
"""

from __future__ import annotations

import re
from typing import Any

REDACTED_TEXT = "[redacted]"

_TELLING_NAMES = (
    r"(?:token|secret|passw(?:or)?d|passphrase|credentials?|cookie"
    r"|(?:api|access|private|secret)[_-]?key)"
)

#: Each shape, and what stays of it.
SECRET_PATTERNS = (
    # Webhooks and interactions carry their token in the path.
    (re.compile(r"(/webhooks/\d+/)[\w.-]{8,}"), rf"\1{REDACTED_TEXT}"),
    (re.compile(r"(/interactions/\d+/)[\w.-]{8,}"), rf"\1{REDACTED_TEXT}"),
    # An address with the name and password of who may use it.
    (re.compile(r"(://)[^\s/?#@:]*:[^\s/?#@]+@"), rf"\1{REDACTED_TEXT}@"),
    # An interaction's token is "interaction:…" in base 64.
    (re.compile(r"aW50ZXJhY3Rpb246[\w-]{20,}={0,2}"), REDACTED_TEXT),
    # A bot's token: its id in base 64, a time, a signature.
    (re.compile(r"\b[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}"), REDACTED_TEXT),
    # A JSON web token.
    (re.compile(r"(?<![\w-])eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*"), REDACTED_TEXT),
    # What services put before their keys.
    (
        re.compile(
            r"(?<![\w-])(?:mfa\.[\w-]{20,}|hf_[A-Za-z0-9]{20,}"
            r"|gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
            r"|sk-(?=[\w-]{0,64}\d)[\w-]{16,}|[rsp]k_(?:live|test)_[A-Za-z0-9]{10,}"
            r"|xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,}"
            r"|(?:AKIA|ASIA)[A-Z0-9]{16}\b|AIza[\w-]{30,}|ya29\.[\w-]{20,}"
            r"|npm_[A-Za-z0-9]{20,}|pypi-[\w-]{20,}|dckr_pat_[\w-]{16,}|r8_[A-Za-z0-9]{20,}"
            r"|SG\.[\w-]{16,}\.[\w-]{16,})"
        ),
        REDACTED_TEXT,
    ),
    (
        re.compile(
            r"-----BEGIN[A-Z +]*PRIVATE[ +]KEY-----.*?(?:-----END[A-Z +]*KEY-----|\Z)", re.S
        ),
        REDACTED_TEXT,
    ),
    (
        re.compile(
            r"""(authorization['"]?[\s+]*[:=,][\s+]*['"]?)(?:(?:bot|bearer|basic)[\s+]+)?[^\s'",}]+""",
            re.I,
        ),
        rf"\1{REDACTED_TEXT}",
    ),
    (
        re.compile(
            r"\b((?:bot|bearer|basic)[\s+]+)(?=[\w./=-]{0,64}[\d._/=-])[\w.+/=-]{20,}", re.I
        ),
        rf"\1{REDACTED_TEXT}",
    ),
    # A name that says so, with its value; a form in an address writes blanks as `+`.
    (
        re.compile(
            rf"""({_TELLING_NAMES}['"]?[\s+]*[:=][\s+]*['"]?)(?!\[redacted\])"""
            r"""[^\s'",;&}<>()]{6,}""",
            re.I,
        ),
        rf"\1{REDACTED_TEXT}",
    ),
    # Signatures of Discord's attachment addresses.
    (re.compile(r"\b(hm=)[0-9a-f]{16,}"), rf"\1{REDACTED_TEXT}"),
)

SECRET_KEY_PATTERN = re.compile(rf"(?:.*[_-])?(?:{_TELLING_NAMES}|authorization)", re.I)
"""A key of a structure whose value is a secret whatever it looks like."""

#: A character as addresses, JSON and Python write it: `%2F`, `\u002f`, `\x2f`, `\/`.
ESCAPE_PATTERN = re.compile(
    r"""%([0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})|\\([/\\"'])"""
)
#: What goes on with an escape behind a secret is its end.
ESCAPED_END_PATTERN = re.compile(r"""\[redacted\][%\\][^\s'",;&}<>()]*""")
MAX_ESCAPE_ROUNDS = 4  # an escape within an escape within …


def redact_secrets(text: str) -> str:
    """Return the text without what looks like a secret.

    Where only its unescaped form shows one, that form is returned without it.
    """
    clean_text = plain_text = _redact_plain(text)
    for _ in range(MAX_ESCAPE_ROUNDS):
        unescaped_text = ESCAPE_PATTERN.sub(_unescape_character, plain_text)
        if unescaped_text == plain_text:
            break
        plain_text = _redact_plain(unescaped_text)
        if plain_text != unescaped_text:
            clean_text = plain_text
    return clean_text


def redact_values(value: Any) -> Any:
    """Do so to every text in a structure; what is neither text nor structure becomes text."""
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {
                redact_secrets(str(key)): (
                    REDACTED_TEXT
                    if isinstance(item, str | bytes) and SECRET_KEY_PATTERN.fullmatch(str(key))
                    else redact_values(item)
                )
                for key, item in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [redact_values(item) for item in value]
        case _:
            return redact_secrets(str(value))


def _redact_plain(text: str) -> str:
    for shape, replacement in SECRET_PATTERNS:
        text = shape.sub(replacement, text)
    return ESCAPED_END_PATTERN.sub(REDACTED_TEXT, text)


def _unescape_character(escape: re.Match[str]) -> str:
    percent, long, short, character = escape.groups()
    return character or chr(int(percent or long or short, 16))
