"""Slash command options made from the job types' own declarations.

A command lists which options of its job it shows; their types, bounds, choices, defaults and
texts come from `inference.api.jobs`, so that a slash command, the command line and the check of a
job can never disagree.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Literal, Optional, TypeVar

import discord
from discord import app_commands

from bot.errors import NotANumber
from inference.api.jobs import (
    BooleanSpec,
    ChoiceSpec,
    Job,
    JobOption,
    NumberSpec,
    TextSpec,
    list_job_options,
)

MAX_DISCORD_INTEGER = 2**53
MAX_NUMBER_CHARACTERS = 24
MAX_DESCRIPTION_LENGTH = 100  # characters of an option's or command's description
IMAGE_TEXTS = {
    "image": "The picture to work on: PNG, JPEG, WebP or GIF",
    "mask": "White where the picture is to be repainted, black where it stays",
    "image2": "A second picture to look at, where the model looks at several",
    "image3": "A third picture to look at, where the model looks at several",
    "image4": "A fourth picture to look at, where the model looks at several",
    "control": "Control picture: its edges or depth hold the result; empty: the picture itself",
}

Callback = TypeVar("Callback", bound=Callable[..., Awaitable[Any]])
Autocomplete = Callable[
    [discord.Interaction[Any], str], Coroutine[Any, Any, list[app_commands.Choice[str]]]
]


class WholeNumberText(app_commands.Transformer):
    """A whole number that is written as text, for it may be larger than Discord's own."""

    def __init__(self, option: str) -> None:
        self._option = option

    @property
    def max_value(self) -> int:
        """Characters that may be written."""
        return MAX_NUMBER_CHARACTERS

    async def transform(self, _interaction: discord.Interaction[Any], value: Any, /) -> int:
        """Read the number; the job checks its bounds.

        Raises:
            NotANumber: it is none.
        """
        try:
            return int(value)
        except ValueError:
            raise NotANumber(self._option, str(value), whole=True) from None


def with_job_options(
    job_type: type[Job],
    names: Iterable[str],
    completions: Mapping[str, Autocomplete] | None = None,
    extra: Mapping[str, str] | None = None,
    *,
    images: bool = True,
    references: bool = False,
) -> Callable[[Callback], Callback]:
    """Give a command's `**given` the pictures of `job_type` and the named options.

    The callback receives only what the member filled in, under the job's own field names;
    pictures come as `discord.Attachment`, unless no `images` are wanted; those to look at besides
    only with `references`. `extra` are words asked for besides, with their texts.
    """
    options_by_name = {option.name: option for option in list_job_options(job_type)}
    shown_options = [options_by_name[name] for name in names]

    image_parameters = _image_parameters(job_type, references=references) if images else []

    def decorate(callback: Callback) -> Callback:
        own_parameters = [
            parameter
            for parameter in inspect.signature(callback).parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        option_parameters = [
            *image_parameters,
            *(_option_parameter(option) for option in shown_options),
        ]
        option_parameters += [_keyword_parameter(name, Optional[str], None) for name in extra or {}]  # noqa: UP045
        callback.__signature__ = inspect.Signature([*own_parameters, *option_parameters])  # type: ignore[attr-defined]
        texts = {option.name: describe_option(option) for option in shown_options}
        texts |= {parameter.name: IMAGE_TEXTS[parameter.name] for parameter in image_parameters}
        texts.update(extra or {})
        app_commands.describe(**texts)(callback)
        matching_completions = {name: f for name, f in (completions or {}).items() if name in texts}
        return (
            app_commands.autocomplete(**matching_completions)(callback)
            if matching_completions
            else callback
        )

    return decorate


def describe_option(option: JobOption) -> str:
    """Say what an option is and what it is when left out, within Discord's 100 characters."""
    default = option.default
    default_suffix = "" if default in (None, "", -1) else f" ({_format_value(default)})"
    return option.spec.text[: MAX_DESCRIPTION_LENGTH - len(default_suffix)] + default_suffix


def split_attachments(
    arguments: Mapping[str, Any],
) -> tuple[dict[str, discord.Attachment], dict[str, Any]]:
    """Split what a member gave into pictures and plain values; leave out what was left empty."""
    images = {name: v for name, v in arguments.items() if isinstance(v, discord.Attachment)}
    values = {name: v for name, v in arguments.items() if v is not None and name not in images}
    return images, values


def _image_parameters(job_type: type[Job], *, references: bool) -> list[inspect.Parameter]:
    required_parameters = [
        _keyword_parameter(name, discord.Attachment) for name in job_type.required_images
    ]
    optional_parameters = [
        _keyword_parameter(name, discord.Attachment | None, None)
        for name in (
            *job_type.optional_images,
            *(job_type.reference_images if references else ()),
        )
    ]
    return [*required_parameters, *optional_parameters]


def _option_parameter(option: JobOption) -> inspect.Parameter:
    return _keyword_parameter(option.name, option_annotation(option), None)


def _keyword_parameter(
    name: str, kind: Any, default: Any = inspect.Parameter.empty
) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)


def option_annotation(option: JobOption) -> Any:
    """Return the annotation that makes discord.py declare and check the option."""
    match option.spec:
        case NumberSpec(high=high) if high > MAX_DISCORD_INTEGER:
            plain: Any = app_commands.Transform[int, WholeNumberText(option.name)]
        case NumberSpec(low=low, high=high):
            plain = app_commands.Range[option.type, option.type(low), option.type(high)]
        case ChoiceSpec(choices=choices):
            plain = Literal[choices]
        case TextSpec(max_length=longest):
            plain = app_commands.Range[str, 0, longest]
        case BooleanSpec():
            plain = bool
    return Optional[plain]  # noqa: UP045 - made at run time, where `|` knows no transformers


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
