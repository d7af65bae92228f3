"""The one rule without a switch: nothing sexual about minors, in any of the lists' languages."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from bot.errors import ProhibitedContent
from bot.filters.ages import names_a_minor
from bot.filters.text_normaliser import NormalisedText

WORD_LISTS_FOLDER = Path(__file__).with_name("lists")


def check_minors(text: str) -> None:
    """Refuse a text that joins minors with what is sexual.

    Raises:
        ProhibitedContent: it does.
    """
    if sexualises_minors(text):
        raise ProhibitedContent


def sexualises_minors(text: str) -> bool:
    """Whether a text names the abuse of children, or minors together with what is sexual."""
    reading = NormalisedText(text)
    if any(map(reading.contains_word, load_word_list("abuse"))):
        return True
    sexual = any(map(reading.contains_word, load_word_list("sexual")))
    return sexual and (
        any(map(reading.contains_word, load_word_list("minors")))
        or names_a_minor(reading.forms[0], reading.compact)
    )


@cache
def load_word_list(name: str) -> tuple[str, ...]:
    """Return the words of one list; lines that begin with # are remarks."""
    lines = (WORD_LISTS_FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
