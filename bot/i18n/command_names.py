"""Names within a sentence: they are looked up, so that no translation can call them otherwise.

A translation keeps the English name of a command (`/style list`), of an option in bold or in an
example (`**strength**`, `/img2img strength:0.5`), and of a button or menu in italics (*Again*);
what members read is what their Discord shows there.
"""

from __future__ import annotations

import re
from functools import cache

from bot.i18n.catalog import LanguageCatalog, load_catalog

COMMAND_GROUPS = frozenset(
    {"mask", "style", "defaults", "privacy", "settings", "moderation", "access"}
)
"""Commands whose second word is a command, too."""

COMMAND_PATTERN = re.compile(
    r"(?<![A-Za-z0-9_/<:])/(?P<name>[a-z][a-z0-9]*)(?P<sub> [a-z]+)?(?![A-Za-z0-9_/])"
)
_EXAMPLE_PATTERN = re.compile(r"`/[^`]*`")
_OPTION_PATTERN = re.compile(r"(?<= )(?P<name>[a-z_]+):")
BOLD_PATTERN = re.compile(r"\*\*(?P<name>[a-z_]+)\*\*")
ITALIC_PATTERN = re.compile(r"(?<!\*)\*(?P<name>[^*\n]+)\*(?!\*)")


@cache
def localise_command_names(words: str, language: str) -> str:
    """Put the names of a language into one of its sentences, whose holes are still open."""
    names = load_catalog(language)
    words = _EXAMPLE_PATTERN.sub(lambda match: _localise_options(match[0], names), words)
    words = COMMAND_PATTERN.sub(lambda match: _localise_command(match, names), words)
    words = BOLD_PATTERN.sub(lambda m: f"**{names.options.get(m['name'], m['name'])}**", words)
    return ITALIC_PATTERN.sub(lambda match: f"*{_localise_label(match['name'], names)}*", words)


def _localise_options(example: str, names: LanguageCatalog) -> str:
    return _OPTION_PATTERN.sub(
        lambda match: f"{names.options.get(match['name'], match['name'])}:", example
    )


def _localise_command(match: re.Match[str], names: LanguageCatalog) -> str:
    name, sub = match["name"], match["sub"] or ""
    if name in COMMAND_GROUPS and sub:
        sub = f" {names.commands.get(sub[1:], sub[1:])}"
    return f"/{names.commands.get(name, name)}{sub}"


def _localise_label(name: str, names: LanguageCatalog) -> str:
    return names.menus.get(name) or names.answers.get(name) or name
