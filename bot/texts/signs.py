"""A stranger's words made harmless, and lines kept within Discord's bounds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MAX_CONTENT = 2000  # characters of a message
TOKEN = re.compile(r"(<t:\d+(?::[tTdDfFR])?>|<(?:#|@&?)\d+>)")
"""A time, a channel, a role or a member, as Discord shows them."""


def plain(text: str, limit: int) -> str:
    """Make a stranger's text harmless: no markdown, no control or direction signs, bounded."""
    kept = visible(text)
    if len(kept) > limit:
        kept = kept[: limit - 1] + "…"
    return "".join(f"\\{sign}" if sign in "\\`*_~|>#[]()-" else sign for sign in kept)


def worded(text: str, limit: int) -> str:
    """Make a refusal of ours harmless, which may quote a stranger; times and channels stay."""
    parts = TOKEN.split(visible(text)[:limit])
    return "".join(part if n % 2 else plain(part, limit) for n, part in enumerate(parts))


def quote(text: str, limit: int) -> str:
    """Show a stranger's text as code on one line, bounded."""
    kept = "".join(" " if sign.isspace() else sign for sign in text)
    kept = "".join(sign for sign in kept if unicodedata.category(sign) not in ("Cc", "Cf", "Cs"))
    kept = kept.replace("`", "ˋ").strip()
    return f"`{kept[: limit - 1] + '…' if len(kept) > limit else kept}`" if kept else ""


def block(text: str, limit: int | None = None) -> str:
    """Show a stranger's text as it is laid out, bounded."""
    kept = visible(text).replace("`", "ˋ").strip("\n")
    if limit is not None and len(kept) > limit:
        kept = kept[: limit - 1] + "…"
    return f"```\n{kept}\n```"


def visible(text: str) -> str:
    """Take out control and direction signs; keep the lines."""
    return "".join(
        sign
        for sign in text
        if sign == "\n" or unicodedata.category(sign) not in ("Cc", "Cf", "Cs")
    )


def within(limit: int, lines: Iterable[str]) -> str:
    """Join the lines that say something, cut to `limit` characters."""
    text = "\n".join(line for line in lines if line)
    return text if len(text) <= limit else text[: limit - 1] + "…"
