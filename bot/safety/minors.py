"""The one rule without a switch: nothing sexual about minors, in any of the lists' languages."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from bot.errors import NeverAllowed
from bot.safety.ages import names_a_minor
from bot.safety.letters import Reading

LISTS = Path(__file__).with_name("lists")


def check_minors(text: str) -> None:
    """Refuse a text that joins minors with what is sexual.

    Raises:
        NeverAllowed: it does.
    """
    if sexualises_minors(text):
        raise NeverAllowed


def sexualises_minors(text: str) -> bool:
    """Whether a text names the abuse of children, or minors together with what is sexual."""
    reading = Reading(text)
    if any(map(reading.has, listed("abuse"))):
        return True
    sexual = any(map(reading.has, listed("sexual")))
    return sexual and (
        any(map(reading.has, listed("minors"))) or names_a_minor(reading.forms[0], reading.compact)
    )


@cache
def listed(name: str) -> tuple[str, ...]:
    """Return the words of one list; lines that begin with # are remarks."""
    lines = (LISTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
