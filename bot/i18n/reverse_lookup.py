"""English sentences of a worker, a decoder or the store, recognised by the holes they were made of.

They cross a process or lie in the database as words. So the files of the languages hold them as
they are made, with holes, and what came out is laid over that again.
"""

from __future__ import annotations

import re
from functools import cache

from bot.i18n.catalog import load_catalog
from bot.i18n.message import PLACEHOLDER_PATTERN

#: Letters of its own that a sentence needs, so that it does not fit everything.
MIN_TEMPLATE_LETTERS = 10
#: Characters of what is laid over sentences with holes: a stranger may have part in it.
MAX_MATCHED_CHARACTERS = 1000


def match_template(words: str, language: str) -> tuple[str, dict[str, str]] | None:
    """Return a sentence in another language with what fills its holes; None for what is unknown."""
    translations = _translations(language)
    if words in translations:
        return translations[words], {}
    if len(words) > MAX_MATCHED_CHARACTERS:
        return None
    for form, translation in _template_patterns(language):
        if match := form.fullmatch(words):
            return translation, match.groupdict()
    return None


@cache
def _translations(language: str) -> dict[str, str]:
    catalog = load_catalog(language)
    return {**catalog.answers, **catalog.heard}


@cache
def _template_patterns(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """List the sentences of a language as patterns, those with most words of their own first."""
    translations = _translations(language)
    templates = [
        template
        for template in translations
        if len(PLACEHOLDER_PATTERN.sub("", template)) >= MIN_TEMPLATE_LETTERS
    ]
    templates.sort(key=lambda template: -len(PLACEHOLDER_PATTERN.sub("", template)))
    return tuple(
        (re.compile(_template_pattern(template), re.DOTALL), translations[template])
        for template in templates
    )


def _template_pattern(words: str) -> str:
    parts = PLACEHOLDER_PATTERN.split(words)
    named_holes: set[str] = set()
    form = []
    for number, part in enumerate(parts):
        if number % 2 == 0:
            form.append(re.escape(part))
        else:
            form.append(f"(?P={part})" if part in named_holes else f"(?P<{part}>.+?)")
            named_holes.add(part)
    return "".join(form)
