"""What one setting of a server may be: one declaration for commands, panel, files and checks.

Every field of `Rules` carries a kind in its metadata. A kind reads a value from wherever it comes
(a command's option, a form's text, a file), refuses what is impossible in words, and gives what
storage keeps: plain JSON, None for "not set".
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bot.errors import BadSetting
from bot.safety.patterns import PatternError, compiled
from bot.sentences import Sentence, english

SNOWFLAKE = re.compile(r"[1-9][0-9]{4,19}")
MAX_IDS = 100
MAX_TEXT = 100  # characters of a model's name, as Discord completes them, or of a word
NO_NUMBER = english("{name} must be a number, not {value}")
TOO_MANY = english("{name} has {count} entries; at most {most} fit")


class Kind(Protocol):
    """What a setting may be."""

    def read(self, name: str, value: Any) -> Any:
        """Return what storage keeps of a value, or None where nothing is set.

        Raises:
            BadSetting: names the setting and says what would be possible.
        """
        ...

    def decode(self, value: Any) -> Any:
        """Return what the rules hold of what storage kept."""
        ...


@dataclass(frozen=True)
class Amount:
    """A number between two bounds, both included."""

    low: float
    high: float
    whole: bool = True

    def read(self, name: str, value: Any) -> Any:
        """Check the type and the bounds."""
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise BadSetting(name, NO_NUMBER, value=_shown(value))
        if self.whole and value != int(value):
            raise BadSetting(name, "{name} must be a whole number, not {value}", value=f"{value:g}")
        if not self.low <= value <= self.high:
            raise BadSetting(
                name,
                "{name} is {value}, but must be {low} to {high}",
                value=f"{value:g}",
                low=f"{self.low:g}",
                high=f"{self.high:g}",
            )
        return int(value) if self.whole else float(value)

    def decode(self, value: Any) -> Any:
        """Return the number."""
        return value


@dataclass(frozen=True)
class OneOf:
    """One of a few words; the first is what holds where nothing is set."""

    choices: tuple[str, ...]

    def read(self, name: str, value: Any) -> Any:
        """Check that it is one of them."""
        if value not in self.choices:
            raise BadSetting(
                name,
                "{name} must be {either}, not {value}",
                either=_either(self.choices),
                value=_shown(value),
            )
        return None if value == self.choices[0] else value

    def decode(self, value: Any) -> Any:
        """Return the word."""
        return value


@dataclass(frozen=True)
class Id:
    """The id of one channel."""

    mark: str

    def read(self, name: str, value: Any) -> Any:
        """Check that it is an id."""
        return _id(name, value)

    def decode(self, value: Any) -> Any:
        """Return the id."""
        return value


@dataclass(frozen=True)
class Ids:
    """Ids of channels or roles."""

    mark: str

    def read(self, name: str, value: Any) -> Any:
        """Check that all are ids; order and doubles do not count."""
        found = {_id(name, one) for one in _listed(name, value, MAX_IDS)}
        return sorted(found) or None

    def decode(self, value: Any) -> Any:
        """Return the ids."""
        return frozenset(map(str, value))


@dataclass(frozen=True)
class Texts:
    """A list of short texts."""

    most: int = 200

    def read(self, name: str, value: Any) -> Any:
        """Check that all are texts; doubles do not count, the order stays."""
        texts = [_text(name, one, MAX_TEXT) for one in _listed(name, value, self.most)]
        return list(dict.fromkeys(texts)) or None

    def decode(self, value: Any) -> Any:
        """Return the texts."""
        return tuple(value)


@dataclass(frozen=True)
class Patterns(Texts):
    """A list of patterns for RE2."""

    most: int = 50

    def read(self, name: str, value: Any) -> Any:
        """Check that all can be compiled."""
        patterns = super().read(name, value)
        for one in patterns or ():
            try:
                compiled(one)
            except PatternError as error:
                raise BadSetting(
                    name,
                    "{name} has {pattern}, which RE2 cannot run: {error}",
                    pattern=_shown(one),
                    error=error,
                ) from None
        return patterns


@dataclass(frozen=True)
class Shares:
    """An amount for each of some roles."""

    amount: Amount

    def read(self, name: str, value: Any) -> Any:
        """Check the roles' ids and their amounts."""
        if not isinstance(value, Mapping):
            raise BadSetting(
                name, "{name} must be role ids with numbers, not {value}", value=_shown(value)
            )
        if len(value) > MAX_IDS:
            raise BadSetting(name, TOO_MANY, count=len(value), most=MAX_IDS)
        read = {_id(name, key): self.amount.read(name, one) for key, one in value.items()}
        return dict(sorted(read.items())) or None

    def decode(self, value: Any) -> Any:
        """Return the amounts by role."""
        return dict(value)


def _listed(name: str, value: Any, most: int) -> Collection[Any]:
    if isinstance(value, str) or not isinstance(value, Collection) or isinstance(value, Mapping):
        raise BadSetting(name, "{name} must be a list, not {value}", value=_shown(value))
    if len(value) > most:
        raise BadSetting(name, TOO_MANY, count=len(value), most=most)
    return value


def _text(name: str, value: Any, longest: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadSetting(name, "{name} must hold texts, not {value}", value=_shown(value))
    if len(value.strip()) > longest:
        raise BadSetting(
            name,
            "{name} has a text of {count} characters; at most {most} fit",
            count=len(value),
            most=longest,
        )
    return value.strip()


def _id(name: str, value: Any) -> str:
    if isinstance(value, bool) or not SNOWFLAKE.fullmatch(str(value)):
        raise BadSetting(
            name, "{name} must hold Discord ids (long numbers), not {value}", value=_shown(value)
        )
    return str(value)


def _either(choices: Collection[str]) -> Sentence:
    quoted = [f"“{one}”" for one in choices]
    return Sentence("{some} or {other}", some=", ".join(quoted[:-1]), other=quoted[-1])


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:59] + "…"
