"""Members' own languages: what Discord shows of the commands, and what Easel answers.

One file a language. `say` says a sentence in the language that the running task speaks; `heard`
says one that came in English from a worker, a decoder or the store.
"""

from bot.locales.speech import (
    choice_name,
    command_name,
    counted,
    described,
    heard,
    option_name,
    said,
    say,
    speak,
    speaking,
    spoken,
)
from bot.locales.table import ENGLISH
from bot.locales.translator import LANGUAGES, Translator, language_of

__all__ = [
    "ENGLISH",
    "LANGUAGES",
    "Translator",
    "choice_name",
    "command_name",
    "counted",
    "described",
    "heard",
    "language_of",
    "option_name",
    "said",
    "say",
    "speak",
    "speaking",
    "spoken",
]
