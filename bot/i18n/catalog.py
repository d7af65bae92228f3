"""One language: what commands, texts and choices are called in it, and what is answered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CATALOG_FOLDER = Path(__file__).parent
SOURCE_LANGUAGE = "en"
"""The language of the code, which has no file."""
DESCRIPTION_WITH_DEFAULT = re.compile(r"(?P<text>.+) \((?P<default>[^()]+)\)")


@dataclass(frozen=True)
class LanguageCatalog:
    """The words of one language, each by the English ones that it stands for."""

    #: Names of commands and groups.
    commands: dict[str, str]
    #: Names of options.
    options: dict[str, str]
    #: Names of the entries of the Apps menu.
    menus: dict[str, str]
    #: Names of choices; what is not among them is a name in every language.
    choices: dict[str, str]
    #: Descriptions of commands and options, without the default at their end.
    texts: dict[str, str]
    #: Sentences, labels and titles of the bot's answers.
    answers: dict[str, str]
    #: Sentences of workers and the store, most by the templates of their notices.
    heard: dict[str, str]

    def find_sentence(self, english: str) -> str | None:
        """Translate a sentence whose holes are open."""
        return self.answers.get(english) or self.heard.get(english)

    def find_description(self, english: str) -> str | None:
        """Translate a description, with the default at its end if it has one."""
        if english in self.texts:
            return self.texts[english]
        match = DESCRIPTION_WITH_DEFAULT.fullmatch(english)
        if match is None or match["text"] not in self.texts:
            return None
        default = self.choices.get(match["default"], match["default"])
        return f"{self.texts[match['text']]} ({default})"


@cache
def load_catalog(language: str) -> LanguageCatalog:
    """Read the file of a language."""
    return LanguageCatalog(
        **json.loads((CATALOG_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    )
