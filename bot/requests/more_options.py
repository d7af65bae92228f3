"""Options of a job written as words, `clip_skip: 2, rng: NV`: those without a place of their own.

An item begins at the text's start, at a new line, at a semicolon, or at a comma before the name of
an option; so prompts may hold commas. A name is the slash command's, in any language Easel speaks,
with spaces or underscores.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from bot.errors import NotANumber, UnknownOption
from bot.i18n import choice_name, option_name, translate_description
from bot.i18n.catalog import load_catalog
from bot.i18n.discord_translator import LANGUAGES_BY_LOCALE
from inference.api.errors import UnknownChoice
from inference.api.jobs import (
    BooleanSpec,
    ChoiceSpec,
    Job,
    JobOption,
    NumberSpec,
    list_job_options,
)
from inference.api.notices import format_number

MAX_MORE_CHARACTERS = 6000  # characters of the option `more`
TRUE_WORDS = frozenset({"yes", "true", "on", "1"})
FALSE_WORDS = frozenset({"no", "false", "off", "0"})
_ITEM_PATTERN = re.compile(r"(?:^|[\n;,])\s*(?P<name>\w[\w -]{0,40}?)\s*[:：=]")


def parse_more_options(job_type: type[Job], text: str) -> dict[str, Any]:
    """Read `name: value` items into a job's options, by the job's own field names.

    Raises:
        UnknownOption: a name is none of the job's.
        NotANumber: a number is none.
        UnknownChoice: a name is not among the choices.
    """
    options_by_name = {option.name: option for option in list_job_options(job_type)}
    values: dict[str, Any] = {}
    for name, value_text in _split_items(text, options_by_name):
        option = options_by_name[name]
        if value_text or not isinstance(option.spec, NumberSpec):
            values[name] = parse_option_value(option, value_text)
    return values


def format_more_options(
    job_type: type[Job], values: Mapping[str, Any], hidden_names: Collection[str]
) -> str:
    """Write a job's options one a line, in the language that the task speaks, but some.

    Options that are None are left out: the job decides about them.
    """
    return "\n".join(
        f"{option_name(option.name)}: {format_option_value(option, values[option.name])}"
        for option in list_job_options(job_type)
        if option.name not in hidden_names and values.get(option.name) is not None
    )


def parse_option_value(option: JobOption, text: str) -> Any:
    """Read one value as its option's type; a decimal comma is understood.

    Raises:
        NotANumber: a number is none.
        UnknownChoice: a name is not among the choices.
    """
    match option.spec:
        case NumberSpec():
            return _parse_number(option, text)
        case BooleanSpec():
            return _parse_boolean(option, text)
        case ChoiceSpec(choices=choices):
            matches = [
                choice
                for choice in choices
                if text.casefold() in (choice.casefold(), choice_name(choice).casefold())
            ]
            if not matches:
                raise UnknownChoice(option.name, text[:40], choices)
            return matches[0]
        case _:
            return text


def format_option_value(option: JobOption, value: Any) -> str:
    """Write one value as it is read back."""
    if isinstance(value, bool):
        return choice_name("yes" if value else "no")
    if isinstance(option.spec, ChoiceSpec):
        return choice_name(str(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def describe_bounds(option: JobOption) -> str:
    """Say what an option is, and between which numbers."""
    text = translate_description(option.spec.text)
    if isinstance(option.spec, NumberSpec):
        low, high = format_number(option.spec.low), format_number(option.spec.high)
        return f"{text} ({low} – {high})"
    return text


def option_field(name: str, known_names: Collection[str]) -> str | None:
    """Return the field that a written name stands for; None where it is none of the known."""
    written_name = _plain_name(name)
    if written_name in known_names:
        return written_name
    fields = _fields_by_localised_name().get(written_name, ())
    return next((field for field in fields if field in known_names), None)


def _split_items(text: str, known_names: Collection[str]) -> list[tuple[str, str]]:
    items: list[tuple[str, int, int]] = []
    position = 0
    while match := _ITEM_PATTERN.search(text, position):
        separator = text[match.start()] if match.start() < match.start("name") else "\n"
        field = option_field(match["name"], known_names)
        if field is None and separator != ",":
            raise UnknownOption(match["name"], _similar_names(match["name"], known_names))
        if field is not None:
            items.append((field, match.start(), match.end()))
        position = match.end()
    first_begin = items[0][1] if items else len(text)
    if leading_text := text[:first_begin].strip(" \n;,"):
        raise UnknownOption(leading_text[:40], _similar_names(leading_text, known_names))
    ends = [begin for _, begin, _ in items[1:]] + [len(text)] * bool(items)
    return [
        (field, text[begin:end].strip(" \n;,"))
        for (field, _, begin), end in zip(items, ends, strict=True)
    ]


def _similar_names(name: str, known_names: Collection[str]) -> list[str]:
    written_name = "_".join(name.casefold().split()[:3])
    return difflib.get_close_matches(written_name, list(known_names), n=3, cutoff=0.5)


def _parse_number(option: JobOption, text: str) -> int | float:
    whole = option.type is int
    try:
        return int(text) if whole else float(text.replace(",", "."))
    except ValueError:
        raise NotANumber(option.name, text[:40], whole=whole) from None


def _parse_boolean(option: JobOption, text: str) -> bool:
    word = text.casefold()
    if word in TRUE_WORDS or word == choice_name("yes").casefold():
        return True
    if word in FALSE_WORDS or word == choice_name("no").casefold():
        return False
    raise UnknownChoice(option.name, text[:40], ("yes", "no"))


@cache
def _fields_by_localised_name() -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for language in LANGUAGES_BY_LOCALE.values():
        for field, localised_name in load_catalog(language).options.items():
            fields.setdefault(_plain_name(localised_name), []).append(field)
    return fields


def _plain_name(name: str) -> str:
    return "_".join(name.casefold().replace("-", " ").replace("_", " ").split())
