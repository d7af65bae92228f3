"""Saying things: the language that a task speaks, and every sentence in it.

A task speaks English until it is told otherwise. What a member alone reads is said in the language
of their Discord; what a channel reads, in that of its server. Logs are English.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from bot.i18n.catalog import SOURCE_LANGUAGE, load_catalog
from bot.i18n.command_mentions import command_ids, mention_commands
from bot.i18n.command_names import localise_command_names
from bot.i18n.message import PLACEHOLDER_PATTERN, OptionName, TranslatableMessage
from inference.api.notices import Notice, read_notice

_task_language: ContextVar[str] = ContextVar("language", default=SOURCE_LANGUAGE)


def set_language(language: str) -> None:
    """Speak a language for the rest of this task."""
    _task_language.set(language or SOURCE_LANGUAGE)


def current_language() -> str:
    """Return the language that this task speaks."""
    return _task_language.get()


@contextmanager
def use_language(language: str) -> Iterator[None]:
    """Speak a language within the block; English where none is named."""
    reset_token = _task_language.set(language or SOURCE_LANGUAGE)
    try:
        yield
    finally:
        _task_language.reset(reset_token)


def translate(words: str, /, **values: Any) -> str:
    """Translate a message and fill its placeholders, themselves messages or plain values."""
    language = _task_language.get()
    if language == SOURCE_LANGUAGE:
        words = mention_commands(words) if command_ids else words
    elif (translation := load_catalog(language).find_sentence(words)) is not None:
        words = localise_command_names(mention_commands(translation), language)
    if not values:
        return words
    return PLACEHOLDER_PATTERN.sub(
        lambda hole: str(translate_value(values[hole[1]])) if hole[1] in values else hole[0], words
    )


def translate_value(thing: Any) -> Any:
    """Say a sentence or an option's name written elsewhere; anything else stays what it is."""
    if isinstance(thing, OptionName):
        return option_name(thing)
    return (
        translate(thing.words, **thing.values) if isinstance(thing, TranslatableMessage) else thing
    )


def translate_plural(count: int, singular: str, plural: str) -> str:
    """Say how many: `one` has the number in its words, `many` a hole `count` for it."""
    return translate(singular) if count == 1 else translate(plural, count=count)


def translate_notice(stored: Notice | Mapping[str, Any] | str) -> str:
    """Say a notice as a worker sent it or as it is stored.

    A plain sentence, as the bot's own parts and older versions store it, is looked up as it is.
    """
    notice = stored if isinstance(stored, Notice) else read_notice(stored)
    values = {name: _notice_value(name, value) for name, value in notice.params.items()}
    return translate(notice.template, **values)


def _notice_value(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return translate_notice(value)
    return OptionName(value) if name == "option" else value


def option_name(name: str) -> str:
    """Name an option as the slash command does; in English without underscores."""
    language = _task_language.get()
    if language == SOURCE_LANGUAGE:
        return name.replace("_", " ")
    return load_catalog(language).options.get(name.replace(" ", "_"), name)


def command_name(name: str) -> str:
    """Name a command as Discord shows it."""
    language = _task_language.get()
    return name if language == SOURCE_LANGUAGE else load_catalog(language).commands.get(name, name)


def choice_name(name: str) -> str:
    """Name one choice of an option as Discord shows it."""
    language = _task_language.get()
    return name if language == SOURCE_LANGUAGE else load_catalog(language).choices.get(name, name)


def translate_description(text: str) -> str:
    """Say what an option is, as the slash command does."""
    language = _task_language.get()
    return (
        text
        if language == SOURCE_LANGUAGE
        else load_catalog(language).find_description(text) or text
    )
