"""English sentences of a worker, a decoder or the store, recognised by the holes they were made of.

They cross a process or lie in the database as words. So the files of the languages hold them as
they are made, with holes, and what came out is laid over that again.
"""

from __future__ import annotations

import re
from functools import cache

from bot.locales.table import table
from bot.sentences import HOLE

LEAST = 10  # letters of its own that a sentence needs, so that it does not fit everything
LONGEST = (
    1000  # characters of what is laid over sentences with holes: a stranger may have part in it
)


def recognised(words: str, language: str) -> tuple[str, dict[str, str]] | None:
    """Return a sentence in another language with what fills its holes; None for what is unknown."""
    known = _known(language)
    if words in known:
        return known[words], {}
    if len(words) > LONGEST:
        return None
    for form, translated in _forms(language):
        if match := form.fullmatch(words):
            return translated, match.groupdict()
    return None


@cache
def _known(language: str) -> dict[str, str]:
    kept = table(language)
    return {**kept.answers, **kept.heard}


@cache
def _forms(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """List the sentences of a language as patterns, those with most words of their own first."""
    known = _known(language)
    able = [one for one in known if len(HOLE.sub("", one)) >= LEAST]
    able.sort(key=lambda one: -len(HOLE.sub("", one)))
    return tuple((re.compile(_form(one), re.DOTALL), known[one]) for one in able)


def _form(words: str) -> str:
    parts = HOLE.split(words)
    seen: set[str] = set()
    form = []
    for number, part in enumerate(parts):
        if number % 2 == 0:
            form.append(re.escape(part))
        else:
            form.append(f"(?P={part})" if part in seen else f"(?P<{part}>.+?)")
            seen.add(part)
    return "".join(form)
