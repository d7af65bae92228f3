"""Saying things: the language that a task speaks, and every sentence in it.

A task speaks English until it is told otherwise. What a member alone reads is said in the language
of their Discord; what a channel reads, in that of its server. Logs are English.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from bot.locales.marks import with_names
from bot.locales.recognition import recognised
from bot.locales.table import ENGLISH, table
from bot.sentences import OptionName, Sentence, filled

_spoken: ContextVar[str] = ContextVar("language", default=ENGLISH)


def speak(language: str) -> None:
    """Speak a language for the rest of this task."""
    _spoken.set(language or ENGLISH)


def spoken() -> str:
    """Return the language that this task speaks."""
    return _spoken.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak a language within the block; English where none is named."""
    before = _spoken.set(language or ENGLISH)
    try:
        yield
    finally:
        _spoken.reset(before)


def say(words: str, /, **values: Any) -> str:
    """Say a sentence, its holes filled; a hole that holds a `Sentence` is said as well."""
    language = _spoken.get()
    known = {name: said(one) for name, one in values.items()}
    if language == ENGLISH:
        return filled(words, known)
    translated = table(language).answers.get(words)
    return filled(words if translated is None else with_names(translated, language), known)


def said(thing: Any) -> Any:
    """Say a sentence or an option's name written elsewhere; anything else stays what it is."""
    if isinstance(thing, OptionName):
        return option_name(thing)
    return say(thing.words, **thing.values) if isinstance(thing, Sentence) else thing


def counted(count: int, one: str, many: str) -> str:
    """Say how many: `one` has the number in its words, `many` a hole `count` for it."""
    return say(one) if count == 1 else say(many, count=count)


def heard(words: str) -> str:
    """Say what a worker, a decoder or the store says in English; what is not known stays so."""
    language = _spoken.get()
    if language == ENGLISH:
        return words
    found = recognised(words, language)
    if found is None:
        return words
    translated, values = found
    known = {name: _heard_value(name, text) for name, text in values.items()}
    return filled(with_names(translated, language), known)


def _heard_value(name: str, text: str) -> str:
    if name in ("why", "found"):
        return heard(text)
    return option_name(text) if name == "option" else text


def option_name(name: str) -> str:
    """Name an option as the slash command does; in English without underscores."""
    language = _spoken.get()
    if language == ENGLISH:
        return name.replace("_", " ")
    return table(language).options.get(name.replace(" ", "_"), name)


def command_name(name: str) -> str:
    """Name a command as Discord shows it."""
    language = _spoken.get()
    return name if language == ENGLISH else table(language).commands.get(name, name)


def choice_name(name: str) -> str:
    """Name one choice of an option as Discord shows it."""
    language = _spoken.get()
    return name if language == ENGLISH else table(language).choices.get(name, name)


def described(text: str) -> str:
    """Say what an option is, as the slash command does."""
    language = _spoken.get()
    return text if language == ENGLISH else table(language).text(text) or text
