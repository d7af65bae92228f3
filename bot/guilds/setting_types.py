"""What one setting of a server may be: one declaration for commands, panel, files and checks.

Every field of `GuildSettings` carries a setting type in its metadata. A setting type reads a value
from wherever it comes (a command's option, a form's text, a file), refuses what is impossible in
words, and gives what storage keeps: plain JSON, None for "not set".
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bot.errors import BadSetting
from bot.filters.patterns import (
    PatternError,
    PatternsTooCostly,
    compile_pattern,
    compile_patterns,
)
from bot.i18n.message import TranslatableMessage, gettext_noop

SNOWFLAKE_PATTERN = re.compile(r"[1-9][0-9]{4,19}")
MAX_LISTED_IDS = 100
MAX_ENTRY_CHARS = 100  # characters of a model's name, as Discord completes them, or of a word
NOT_A_NUMBER_TEXT = gettext_noop("{name} must be a number, not {value}")
TOO_MANY_ENTRIES_TEXT = gettext_noop("{name} has {count} entries; at most {most} fit")


class SettingType(Protocol):
    """What a setting may be."""

    def parse_value(self, name: str, value: Any) -> Any:
        """Return what storage keeps of a value, or None where nothing is set.

        Raises:
            BadSetting: names the setting and says what would be possible.
        """
        ...

    def load_stored(self, value: Any) -> Any:
        """Return the value that `GuildSettings` holds for what storage kept."""
        ...


@dataclass(frozen=True)
class NumberSetting:
    """A number between two bounds, both included."""

    low: float
    high: float
    whole: bool = True

    def parse_value(self, name: str, value: Any) -> Any:
        """Check the type and the bounds."""
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or (isinstance(value, float) and not math.isfinite(value))
        ):
            raise BadSetting(name, NOT_A_NUMBER_TEXT, value=_shorten_repr(value))
        if self.whole and value != int(value):
            raise BadSetting(
                name, "{name} must be a whole number, not {value}", value=_number_text(value)
            )
        if not self.low <= value <= self.high:
            raise BadSetting(
                name,
                "{name} is {value}, but must be {low} to {high}",
                value=_number_text(value),
                low=f"{self.low:g}",
                high=f"{self.high:g}",
            )
        return int(value) if self.whole else float(value)

    def load_stored(self, value: Any) -> Any:
        """Return the number."""
        return value


@dataclass(frozen=True)
class ChoiceSetting:
    """One of a few words; the first value is the default."""

    choices: tuple[str, ...]

    def parse_value(self, name: str, value: Any) -> Any:
        """Check that it is one of them."""
        if value not in self.choices:
            raise BadSetting(
                name,
                "{name} must be {either}, not {value}",
                either=_join_choices(self.choices),
                value=_shorten_repr(value),
            )
        return None if value == self.choices[0] else value

    def load_stored(self, value: Any) -> Any:
        """Return the word."""
        return value


@dataclass(frozen=True)
class DiscordId:
    """The id of one channel."""

    mark: str

    def parse_value(self, name: str, value: Any) -> Any:
        """Check that it is an id."""
        return _require_id(name, value)

    def load_stored(self, value: Any) -> Any:
        """Return the id."""
        return value


@dataclass(frozen=True)
class DiscordIds:
    """Ids of channels or roles."""

    mark: str

    def parse_value(self, name: str, value: Any) -> Any:
        """Check that all are ids; order and doubles do not count."""
        unique_ids = {
            _require_id(name, entry) for entry in _require_collection(name, value, MAX_LISTED_IDS)
        }
        return sorted(unique_ids) or None

    def load_stored(self, value: Any) -> Any:
        """Return the ids."""
        return frozenset(map(str, value))


@dataclass(frozen=True)
class TextList:
    """A list of short texts."""

    max_entries: int = 200

    def parse_value(self, name: str, value: Any) -> Any:
        """Check that all are texts; doubles do not count, the order stays."""
        texts = [
            _require_text(name, entry, MAX_ENTRY_CHARS)
            for entry in _require_collection(name, value, self.max_entries)
        ]
        return list(dict.fromkeys(texts)) or None

    def load_stored(self, value: Any) -> Any:
        """Return the texts."""
        return tuple(value)


@dataclass(frozen=True)
class PatternList(TextList):
    """A list of patterns for RE2."""

    max_entries: int = 50

    def parse_value(self, name: str, value: Any) -> Any:
        """Check that all can be compiled, and what they cost alone and together."""
        patterns = super().parse_value(name, value)
        for pattern in patterns or ():
            try:
                compile_pattern(pattern)
            except PatternError as error:
                words = gettext_noop("{name} has a pattern that cannot be read, {pattern}: {error}")
                raise BadSetting(name, words, pattern=_shorten_repr(pattern), error=error) from None
            except PatternsTooCostly as error:
                raise BadSetting(
                    name,
                    "{name} has {pattern}, whose program has {count} instructions; at most {most} "
                    "are run. Repeat less in it",
                    pattern=_shorten_repr(pattern),
                    count=error.instructions,
                    most=error.limit,
                ) from None
        try:
            compile_patterns(patterns or ())
        except PatternsTooCostly as error:
            raise BadSetting(
                name,
                "{name} has programs of {count} instructions together; at most {most} are run. "
                "Take out or shorten some",
                count=error.instructions,
                most=error.limit,
            ) from None
        return patterns


@dataclass(frozen=True)
class PerRoleNumber:
    """An amount for each of some roles."""

    amount: NumberSetting

    def parse_value(self, name: str, value: Any) -> Any:
        """Check the roles' ids and their amounts."""
        if not isinstance(value, Mapping):
            raise BadSetting(
                name,
                "{name} must be role ids with numbers, not {value}",
                value=_shorten_repr(value),
            )
        if len(value) > MAX_LISTED_IDS:
            raise BadSetting(name, TOO_MANY_ENTRIES_TEXT, count=len(value), most=MAX_LISTED_IDS)
        amounts = {
            _require_id(name, key): self.amount.parse_value(name, amount)
            for key, amount in value.items()
        }
        return dict(sorted(amounts.items())) or None

    def load_stored(self, value: Any) -> Any:
        """Return the amounts by role."""
        return dict(value)


def _require_collection(name: str, value: Any, max_entries: int) -> Collection[Any]:
    if isinstance(value, str) or not isinstance(value, Collection) or isinstance(value, Mapping):
        raise BadSetting(name, "{name} must be a list, not {value}", value=_shorten_repr(value))
    if len(value) > max_entries:
        raise BadSetting(name, TOO_MANY_ENTRIES_TEXT, count=len(value), most=max_entries)
    return value


def _require_text(name: str, value: Any, max_chars: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadSetting(name, "{name} must hold texts, not {value}", value=_shorten_repr(value))
    if len(value.strip()) > max_chars:
        raise BadSetting(
            name,
            "{name} has a text of {count} characters; at most {most} fit",
            count=len(value),
            most=max_chars,
        )
    return value.strip()


def _require_id(name: str, value: Any) -> str:
    if isinstance(value, bool) or not SNOWFLAKE_PATTERN.fullmatch(str(value)):
        raise BadSetting(
            name,
            "{name} must hold Discord ids (long numbers), not {value}",
            value=_shorten_repr(value),
        )
    return str(value)


def _join_choices(choices: Collection[str]) -> TranslatableMessage:
    quoted_choices = [f"“{choice}”" for choice in choices]
    return TranslatableMessage(
        "{some} or {other}", some=", ".join(quoted_choices[:-1]), other=quoted_choices[-1]
    )


def _number_text(value: float) -> str:
    """Write a number; a whole one may be larger than any that has a fraction."""
    return f"{value:g}" if abs(value) < sys.float_info.max else _shorten_repr(value)


def _shorten_repr(value: Any) -> str:
    value_repr = repr(value)
    return value_repr if len(value_repr) <= 60 else value_repr[:59] + "…"
