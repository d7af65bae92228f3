"""Every command as Discord is told of it, with no bot and no Discord."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import create_autospec

import discord
from discord.ext import commands

from bot.client import EaselBot
from bot.commands import COG_CLASSES
from bot.commands.context_menus import make_menus
from bot.i18n.discord_translator import LANGUAGES_BY_LOCALE, CommandTranslator

SUBCOMMAND, GROUP = 1, 2
SLASH = 1  # type of a command that is typed
NAME = 32  # characters
TEXT = 100
TOTAL = 8000  # characters of a command with everything in it
MOST = 25  # options of a command, choices of an option
MENUS = 5  # of one kind, by discord.py's own limit


async def published() -> list[dict[str, Any]]:
    """Every command as it is sent, in all languages."""
    bot = commands.Bot(command_prefix=commands.when_mentioned, intents=discord.Intents.none())
    easel = create_autospec(EaselBot, instance=True)
    for cog in COG_CLASSES:
        await bot.add_cog(cog(easel))
    for menu in make_menus():
        bot.tree.add_command(menu)
    translator = CommandTranslator()
    payloads = [
        await command.get_translated_payload(bot.tree, translator)
        for command in (*bot.tree.get_commands(), *_menus(bot.tree))
        if not isinstance(command, discord.app_commands.ContextMenu)
    ]
    payloads += [
        await menu.get_translated_payload(bot.tree, translator) for menu in _menus(bot.tree)
    ]
    await bot.close()
    return payloads


def _menus(tree: Any) -> list[discord.app_commands.ContextMenu]:
    kinds = (discord.AppCommandType.message, discord.AppCommandType.user)
    return [menu for kind in kinds for menu in tree.get_commands(type=kind)]


@dataclass(frozen=True)
class Said:
    """One text that members see, in English and in the other languages."""

    #: `name`, `text`, `choice` or `menu`.
    kind: str
    #: Where it stands, as `/style save name`.
    where: str
    english: str
    #: By Discord's code of the language.
    others: dict[str, str]


def said(part: dict[str, Any], where: str = "") -> Iterator[Said]:
    """List the texts of a command or option and of all within it."""
    is_menu = not where and part.get("type", SLASH) != SLASH
    here = f"{where} {part['name']}".strip()
    names = part.get("name_localizations") or {}
    yield Said("menu" if is_menu else "name", here, part["name"], names)
    if not is_menu:
        texts = part.get("description_localizations") or {}
        yield Said("text", here, part["description"], texts)
    for choice in part.get("choices") or ():
        yield Said("choice", here, choice["name"], choice.get("name_localizations") or {})
    for option in part.get("options") or ():
        yield from said(option, here)


def is_valid_name(name: str) -> bool:
    """Discord's `^[-_'\\p{L}\\p{N}\\p{sc=Deva}\\p{sc=Thai}]{1,32}$`, and lower case."""
    plain = all(sign in "-_'" or unicodedata.category(sign)[0] in "LN" for sign in name)
    return plain and 0 < len(name) <= NAME and name == name.lower()


def length(part: dict[str, Any]) -> int:
    """What a command counts against its 8,000 characters: of each text the longest language.

    Source: Discord's documentation of application commands, "Slash Commands".
    """
    own = _longest(part, "name") + _longest(part, "description")
    own += sum(_longest(c, "name") + len(str(c["value"])) for c in part.get("choices") or ())
    return own + sum(length(option) for option in part.get("options") or ())


def _longest(part: dict[str, Any], field: str) -> int:
    texts = [part.get(field, ""), *(part.get(f"{field}_localizations") or {}).values()]
    return max(len(text) for text in texts)


CODES = {locale.value: language for locale, language in LANGUAGES_BY_LOCALE.items()}
HOLE = re.compile(r"\{(\w+)\}")
