"""Members' own languages: what Discord shows of the commands, and what Easel answers.

One file a language. `say` says a sentence in the language that the running task speaks; `heard`
says one that came in English from a worker, a decoder or the store.
"""

from bot.locales.speech import (
    choice_name,
    command_name,
    current_language,
    option_name,
    set_language,
    translate,
    translate_description,
    translate_external,
    translate_plural,
    translate_value,
    use_language,
)
from bot.locales.table import SOURCE_LANGUAGE
from bot.locales.translator import LANGUAGES_BY_LOCALE, CommandTranslator, language_of

__all__ = [
    "LANGUAGES_BY_LOCALE",
    "SOURCE_LANGUAGE",
    "CommandTranslator",
    "choice_name",
    "command_name",
    "current_language",
    "language_of",
    "option_name",
    "set_language",
    "translate",
    "translate_description",
    "translate_external",
    "translate_plural",
    "translate_value",
    "use_language",
]
