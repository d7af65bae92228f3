"""Slash command options made from the job types' own declarations.

A command lists which options of its job it shows; their types, bounds, choices, defaults and
texts come from `inference.jobs`, so that a slash command, the command line and the check of a job
can never disagree.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Literal, Optional, TypeVar

import discord
from discord import app_commands

from inference.jobs import Choice, Flag, Job, Number, Option, Words, options

MAX_DESCRIPTION = 100  # characters of an option's or command's description
PICTURE_TEXTS = {
    "image": "The picture to work on: PNG, JPEG, WebP or GIF",
    "mask": "White where the picture is to be repainted, black where it stays",
}

Callback = TypeVar("Callback", bound=Callable[..., Awaitable[Any]])
Autocomplete = Callable[
    [discord.Interaction[Any], str], Coroutine[Any, Any, list[app_commands.Choice[str]]]
]


def shows(
    job_type: type[Job],
    names: Iterable[str],
    completions: Mapping[str, Autocomplete] | None = None,
    extra: Mapping[str, str] | None = None,
    *,
    pictures: bool = True,
) -> Callable[[Callback], Callback]:
    """Give a command's `**given` the pictures of `job_type` and the named options.

    The callback receives only what the member filled in, under the job's own field names;
    pictures come as `discord.Attachment`, unless no `pictures` are wanted. `extra` are words asked
    for besides, with their texts.
    """
    known = {option.name: option for option in options(job_type)}
    shown = [known[name] for name in names]

    asked = _pictures(job_type) if pictures else []

    def decorate(callback: Callback) -> Callback:
        own = [
            parameter
            for parameter in inspect.signature(callback).parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        given = [*asked, *(_parameter(option) for option in shown)]
        given += [_keyword(name, Optional[str], None) for name in extra or {}]  # noqa: UP045
        callback.__signature__ = inspect.Signature([*own, *given])  # type: ignore[attr-defined]
        texts = {option.name: describe(option) for option in shown}
        texts |= {parameter.name: PICTURE_TEXTS[parameter.name] for parameter in asked}
        texts.update(extra or {})
        app_commands.describe(**texts)(callback)
        offered = {name: f for name, f in (completions or {}).items() if name in texts}
        return app_commands.autocomplete(**offered)(callback) if offered else callback

    return decorate


def describe(option: Option) -> str:
    """Say what an option is and what it is when left out, within Discord's 100 characters."""
    default = option.default
    shown = "" if default in (None, "", -1) else f" ({_written(default)})"
    return option.spec.text[: MAX_DESCRIPTION - len(shown)] + shown


def filled_in(given: Mapping[str, Any]) -> tuple[dict[str, discord.Attachment], dict[str, Any]]:
    """Split what a member gave into pictures and plain values; leave out what was left empty."""
    pictures = {name: v for name, v in given.items() if isinstance(v, discord.Attachment)}
    values = {name: v for name, v in given.items() if v is not None and name not in pictures}
    return pictures, values


def _pictures(job_type: type[Job]) -> list[inspect.Parameter]:
    needed = [_keyword(name, discord.Attachment) for name in job_type.needs]
    taken = [_keyword(name, discord.Attachment | None, None) for name in job_type.takes]
    return [*needed, *taken]


def _parameter(option: Option) -> inspect.Parameter:
    return _keyword(option.name, annotation(option), None)


def _keyword(name: str, kind: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)


def annotation(option: Option) -> Any:
    """Return the annotation that makes discord.py declare and check the option."""
    match option.spec:
        case Number(low=low, high=high):
            plain: Any = app_commands.Range[option.type, option.type(low), option.type(high)]
        case Choice(choices=choices):
            plain = Literal[choices]
        case Words(max_length=longest):
            plain = app_commands.Range[str, 0, longest]
        case Flag():
            plain = bool
    return Optional[plain]  # noqa: UP045 - made at run time, where `|` knows no transformers


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
