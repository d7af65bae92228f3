"""Sentences with named holes: written in English in the code, said in a member's language later.

Every text that people read is marked where it is written, by `gettext_noop`, `TranslatableMessage`
or an error's constructor here, or by `translate` and `translate_plural` of `bot.i18n`; a test
reads the marks off the source and compares them with the files of the languages.
"""

from __future__ import annotations

from typing import Any

from inference.api.notices import PLACEHOLDER_PATTERN as PLACEHOLDER_PATTERN
from inference.api.notices import fill_placeholders as fill_placeholders


class TranslatableMessage:
    """A sentence and what fills its holes; as a text it is English."""

    def __init__(self, words: str, /, **values: Any) -> None:
        self.words, self.values = words, values

    def __str__(self) -> str:
        return fill_placeholders(self.words, self.values)


class OptionName(str):
    """The name of an option: each language calls it as its slash commands do."""

    __slots__ = ()

    def __str__(self) -> str:
        return self.replace("_", " ")


def gettext_noop(words: str) -> str:
    """Mark words that stand in a table and are said from there."""
    return words
