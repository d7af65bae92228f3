"""Sentences with named holes: written in English in the code, said in a member's language later.

Every text that people read is marked where it is written, by `english`, `Sentence` or an error's
constructor here, or by `say` and `counted` of `bot.locales`; a test reads the marks off the source
and compares them with the files of the languages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HOLE = re.compile(r"\{(\w+)\}")


class Sentence:
    """A sentence and what fills its holes; as a text it is English."""

    def __init__(self, words: str, /, **values: Any) -> None:
        self.words, self.values = words, values

    def __str__(self) -> str:
        return filled(self.words, self.values)


class OptionName(str):
    """The name of an option: each language calls it as its slash commands do."""

    __slots__ = ()

    def __str__(self) -> str:
        return self.replace("_", " ")


def english(words: str) -> str:
    """Mark words that stand in a table and are said from there."""
    return words


def filled(words: str, values: Mapping[str, Any]) -> str:
    """Fill the holes that there is something for; other braces are a member's own."""
    return HOLE.sub(lambda hole: str(values.get(hole[1], hole[0])), words)
