"""What Discord shows of the commands in members' own languages: one file a language."""

from bot.locales.translator import LANGUAGES, Translator

__all__ = ["LANGUAGES", "Translator"]
