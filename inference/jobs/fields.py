"""What one option of a job may be: one declaration for checks, slash commands and command line.

Every field of a job carries a specification in its dataclass metadata. `check` refuses an
impossible value; the command line and the bot read the same specification for their own ranges.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from inference.errors import JobError, OutOfRange, UnknownChoice

SPEC = "spec"


@dataclass(frozen=True)
class Number:
    """A whole or decimal number between two bounds, both included."""

    text: str
    low: float
    high: float
    unit: str = ""


@dataclass(frozen=True)
class Choice:
    """One of a few names."""

    text: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Words:
    """Free text up to a length in characters."""

    text: str
    max_length: int


@dataclass(frozen=True)
class Flag:
    """Yes or no."""

    text: str


Spec = Number | Choice | Words | Flag


def number(default: float | None, low: float, high: float, text: str, unit: str = "") -> Any:
    """Declare a number between `low` and `high`; None stands for "decided by the worker"."""
    return dataclasses.field(default=default, metadata={SPEC: Number(text, low, high, unit)})


def choice(default: str, choices: Sequence[str], text: str) -> Any:
    """Declare a name out of `choices`."""
    return dataclasses.field(default=default, metadata={SPEC: Choice(text, tuple(choices))})


def words(default: str, max_length: int, text: str) -> Any:
    """Declare free text of at most `max_length` characters."""
    return dataclasses.field(default=default, metadata={SPEC: Words(text, max_length)})


def flag(default: bool, text: str) -> Any:
    """Declare a switch."""
    return dataclasses.field(default=default, metadata={SPEC: Flag(text)})


@dataclass(frozen=True)
class Option:
    """One field of a job type as its users see it."""

    name: str
    type: type
    optional: bool
    default: Any
    spec: Spec


def options(job_type: type) -> Iterator[Option]:
    """List the options of a job type in the order of their declaration."""
    hints = typing.get_type_hints(job_type)
    for item in dataclasses.fields(job_type):
        spec = item.metadata.get(SPEC)
        if spec is None:
            continue
        kind, optional = _plain(hints[item.name])
        yield Option(item.name, kind, optional, item.default, spec)


def _plain(hint: Any) -> tuple[type, bool]:
    """Split `int | None` into the plain type and whether None is allowed."""
    if isinstance(hint, types.UnionType):
        plain = [part for part in typing.get_args(hint) if part is not type(None)]
        return plain[0], True
    return hint, False


def check(job: Any) -> None:
    """Refuse a job one of whose values is impossible.

    Raises:
        JobError: names the field and says what would be possible.
    """
    for option in options(type(job)):
        value = getattr(job, option.name)
        if value is None and option.optional:
            continue
        _check_type(option, value)
        _check_value(option.name, value, option.spec)


def _check_type(option: Option, value: Any) -> None:
    accepted = (int, float) if option.type is float else (option.type,)
    wrong_bool = isinstance(value, bool) and option.type is not bool
    if wrong_bool or not isinstance(value, accepted):
        name = option.name.replace("_", " ")
        article = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        raise JobError(option.name, f"{name} must be {article[option.type]}, not {value!r}.")


def _check_value(name: str, value: Any, spec: Spec) -> None:
    match spec:
        case Number():
            if not math.isfinite(value) or not spec.low <= value <= spec.high:
                raise OutOfRange(name, value, spec.low, spec.high)
        case Choice() if value not in spec.choices:
            raise UnknownChoice(name, value, spec.choices)
        case Words() if len(value) > spec.max_length:
            label = name.replace("_", " ")
            raise JobError(
                name, f"{label} has {len(value)} characters; at most {spec.max_length} fit."
            )
        case _:
            pass
