"""Tells Discord, when commands are published, what they are called in other languages."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Where

from bot.i18n.catalog import SOURCE_LANGUAGE, load_catalog

LANGUAGES_BY_LOCALE = {
    discord.Locale.german: "de",
    discord.Locale.japanese: "ja",
    discord.Locale.chinese: "zh-CN",
}
"""The files there are; every other language sees the English of the code."""


def language_of(locale: discord.Locale | None) -> str:
    """Name the language that somebody with this locale is answered in."""
    return SOURCE_LANGUAGE if locale is None else LANGUAGES_BY_LOCALE.get(locale, SOURCE_LANGUAGE)


class CommandTranslator(app_commands.Translator):
    """Looks names and descriptions up in the tables."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """Return what a string is called in a language; None where it keeps its English name."""
        if locale not in LANGUAGES_BY_LOCALE:
            return None
        words = load_catalog(LANGUAGES_BY_LOCALE[locale])
        english = string.message
        match context.location:
            case Where.command_name | Where.group_name:
                return words.menus.get(english) or words.commands.get(english)
            case Where.parameter_name:
                return words.options.get(english)
            case Where.choice_name:
                return words.choices.get(english)
            case Where.command_description | Where.group_description | Where.parameter_description:
                return words.find_description(english)
            case _:
                return None
