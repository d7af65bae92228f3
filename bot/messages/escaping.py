"""A stranger's words made harmless, and lines kept within Discord's bounds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from bot.i18n.message import OptionName, TranslatableMessage
from inference.api.notices import Notice

MAX_MESSAGE_CHARACTERS = 2000  # characters of a message
MENTION_PATTERN = re.compile(r"(<t:\d+(?::[tTdDfFR])?>|<(?:#|@&?)\d+>)")
"""A time, a channel, a role or a member, as Discord shows them."""


def escape_untrusted(text: str, limit: int) -> str:
    """Make a stranger's text harmless: no markdown, no control or direction signs, bounded."""
    clean_text = strip_control_chars(text)
    if len(clean_text) > limit:
        clean_text = clean_text[: limit - 1] + "…"
    return "".join(f"\\{sign}" if sign in "\\`*_~|>#[]()-" else sign for sign in clean_text)


def escape_error_text(text: str, limit: int) -> str:
    """Make a refusal of ours harmless, which may quote a stranger; times and channels stay."""
    parts = MENTION_PATTERN.split(strip_control_chars(text)[:limit])
    return "".join(part if n % 2 else escape_untrusted(part, limit) for n, part in enumerate(parts))


def escape_sentence(sentence: TranslatableMessage) -> TranslatableMessage:
    """Make all that strangers chose in a sentence of ours harmless; its own markdown stays."""
    values = {name: escape_value(value) for name, value in sentence.values.items()}
    return TranslatableMessage(sentence.words, **values)


def escape_value(value: Any) -> Any:
    """Make what fills a hole of a sentence harmless: a text, or the texts within a sentence."""
    if isinstance(value, TranslatableMessage):
        return escape_sentence(value)
    if isinstance(value, str) and not isinstance(value, OptionName):
        return escape_error_text(value, MAX_MESSAGE_CHARACTERS)
    return value


def escape_notice(notice: Notice) -> Notice:
    """Make all that strangers chose in a notice harmless; options keep their names."""
    params = {
        name: escape_notice(Notice.from_json(value)).to_json()
        if isinstance(value, dict)
        else (value if name == "option" else escape_value(value))
        for name, value in notice.params.items()
    }
    return Notice(notice.code, **params)


def inline_code(text: str, limit: int) -> str:
    """Show a stranger's text as code on one line, bounded."""
    clean_text = "".join(" " if sign.isspace() else sign for sign in text)
    clean_text = "".join(
        sign for sign in clean_text if unicodedata.category(sign) not in ("Cc", "Cf", "Cs")
    )
    clean_text = clean_text.replace("`", "ˋ").strip()
    return (
        f"`{clean_text[: limit - 1] + '…' if len(clean_text) > limit else clean_text}`"
        if clean_text
        else ""
    )


def code_block(text: str, limit: int | None = None) -> str:
    """Show a stranger's text as it is laid out, bounded."""
    clean_text = strip_control_chars(text).replace("`", "ˋ").strip("\n")
    if limit is not None and len(clean_text) > limit:
        clean_text = clean_text[: limit - 1] + "…"
    return f"```\n{clean_text}\n```"


def strip_control_chars(text: str) -> str:
    """Take out control and direction signs; keep the lines."""
    return "".join(
        sign
        for sign in text
        if sign == "\n" or unicodedata.category(sign) not in ("Cc", "Cf", "Cs")
    )


def join_limited(limit: int, lines: Iterable[str]) -> str:
    """Join the lines that say something, cut to `limit` characters."""
    text = "\n".join(line for line in lines if line)
    return text if len(text) <= limit else text[: limit - 1] + "…"
