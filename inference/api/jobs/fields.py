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

from inference.api.errors import JobError, OutOfRange, UnknownChoice

SPEC_KEY = "spec"
#: What is said where a value is of another type.
TYPE_CODES = {
    int: "option.whole_number",
    float: "option.number",
    str: "option.text",
    bool: "option.true_or_false",
}


@dataclass(frozen=True)
class NumberSpec:
    """A whole or decimal number between two bounds, both included."""

    text: str
    low: float
    high: float
    unit: str = ""


@dataclass(frozen=True)
class ChoiceSpec:
    """One of a few names."""

    text: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class TextSpec:
    """Free text up to a length in characters."""

    text: str
    max_length: int


@dataclass(frozen=True)
class BooleanSpec:
    """Yes or no."""

    text: str


Spec = NumberSpec | ChoiceSpec | TextSpec | BooleanSpec


def number_field(default: float | None, low: float, high: float, text: str, unit: str = "") -> Any:
    """Declare a number between `low` and `high`; None stands for "decided by the worker"."""
    return dataclasses.field(
        default=default, metadata={SPEC_KEY: NumberSpec(text, low, high, unit)}
    )


def choice_field(default: str, choices: Sequence[str], text: str) -> Any:
    """Declare a name out of `choices`."""
    return dataclasses.field(default=default, metadata={SPEC_KEY: ChoiceSpec(text, tuple(choices))})


def text_field(default: str, max_length: int, text: str) -> Any:
    """Declare free text of at most `max_length` characters."""
    return dataclasses.field(default=default, metadata={SPEC_KEY: TextSpec(text, max_length)})


def boolean_field(default: bool, text: str) -> Any:
    """Declare a switch."""
    return dataclasses.field(default=default, metadata={SPEC_KEY: BooleanSpec(text)})


@dataclass(frozen=True)
class JobOption:
    """One field of a job type as its users see it."""

    name: str
    type: type
    optional: bool
    default: Any
    spec: Spec


def list_job_options(job_type: type) -> Iterator[JobOption]:
    """List the options of a job type in the order of their declaration."""
    hints = typing.get_type_hints(job_type)
    for item in dataclasses.fields(job_type):
        spec = item.metadata.get(SPEC_KEY)
        if spec is None:
            continue
        kind, optional = _unwrap_optional(hints[item.name])
        yield JobOption(item.name, kind, optional, item.default, spec)


def _unwrap_optional(hint: Any) -> tuple[type, bool]:
    """Split `int | None` into the plain type and whether None is allowed."""
    if isinstance(hint, types.UnionType):
        plain = [part for part in typing.get_args(hint) if part is not type(None)]
        return plain[0], True
    return hint, False


def check_options(job: Any) -> None:
    """Refuse a job one of whose values is impossible.

    Raises:
        JobError: names the field and says what would be possible.
    """
    for option in list_job_options(type(job)):
        value = getattr(job, option.name)
        if value is None and option.optional:
            continue
        _check_type(option, value)
        _check_value(option.name, value, option.spec)


def _check_type(option: JobOption, value: Any) -> None:
    accepted_types = (int, float) if option.type is float else (option.type,)
    wrong_bool = isinstance(value, bool) and option.type is not bool
    if wrong_bool or not isinstance(value, accepted_types):
        raise JobError(option.name, TYPE_CODES[option.type], option=option.name, value=repr(value))


def _check_value(name: str, value: Any, spec: Spec) -> None:
    match spec:
        case NumberSpec():
            if not math.isfinite(value) or not spec.low <= value <= spec.high:
                raise OutOfRange(name, value, spec.low, spec.high)
        case ChoiceSpec() if value not in spec.choices:
            raise UnknownChoice(name, value, spec.choices)
        case TextSpec() if len(value) > spec.max_length:
            raise JobError(
                name, "option.too_long", option=name, count=len(value), most=spec.max_length
            )
        case _:
            pass
