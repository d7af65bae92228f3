"""Names within a sentence: they are looked up, so that no translation can call them otherwise.

A translation keeps the English name of a command (`/style list`), of an option in bold or in an
example (`**strength**`, `/img2img strength:0.5`), and of a button or menu in italics (*Again*);
what members read is what their Discord shows there.
"""

from __future__ import annotations

import re
from functools import cache

from bot.locales.table import Table, table

GROUPS = frozenset({"mask", "style", "defaults", "privacy", "settings", "moderation"})
"""Commands whose second word is a command, too."""

COMMAND = re.compile(
    r"(?<![A-Za-z0-9_/<:])/(?P<name>[a-z][a-z0-9]*)(?P<sub> [a-z]+)?(?![A-Za-z0-9_/])"
)
_EXAMPLE = re.compile(r"`/[^`]*`")
_OPTION = re.compile(r"(?<= )(?P<name>[a-z_]+):")
BOLD = re.compile(r"\*\*(?P<name>[a-z_]+)\*\*")
ITALIC = re.compile(r"(?<!\*)\*(?P<name>[^*\n]+)\*(?!\*)")


@cache
def with_names(words: str, language: str) -> str:
    """Put the names of a language into one of its sentences, whose holes are still open."""
    names = table(language)
    words = _EXAMPLE.sub(lambda match: _with_options(match[0], names), words)
    words = COMMAND.sub(lambda match: _command(match, names), words)
    words = BOLD.sub(lambda m: f"**{names.options.get(m['name'], m['name'])}**", words)
    return ITALIC.sub(lambda match: f"*{_label(match['name'], names)}*", words)


def _with_options(example: str, names: Table) -> str:
    return _OPTION.sub(lambda match: f"{names.options.get(match['name'], match['name'])}:", example)


def _command(match: re.Match[str], names: Table) -> str:
    name, sub = match["name"], match["sub"] or ""
    if name in GROUPS and sub:
        sub = f" {names.commands.get(sub[1:], sub[1:])}"
    return f"/{names.commands.get(name, name)}{sub}"


def _label(name: str, names: Table) -> str:
    return names.menus.get(name) or names.answers.get(name) or name
