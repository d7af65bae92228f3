"""What a prompt may say: nothing sexual about minors anywhere, then the server's own lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from bot.errors import NotAllowed, ProhibitedContent
from bot.filters.patterns import find_match
from bot.filters.text_normaliser import NormalisedText

WORD_LISTS_FOLDER = Path(__file__).with_name("lists")
MAX_QUOTED_CHARACTERS = 60  # characters of a stranger's text that are given back
ADULT_AGE_YEARS = 18  # years

ENGLISH_NUMBER_WORDS = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    "sixteen|seventeen"
)
GERMAN_NUMBER_WORDS = (
    "ein|zwei|drei|vier|funf|sechs|sieben|acht|neun|zehn|elf|zwolf|dreizehn|vierzehn|funfzehn|"
    "sechzehn|siebzehn"
)
ASIAN_NUMERALS = "一二三四五六七八九十"

_NUMBER_PATTERN = rf"(?:(\d{{1,3}})|{ENGLISH_NUMBER_WORDS})"
ENGLISH_AGE_PATTERN = re.compile(
    rf"\b{_NUMBER_PATTERN} ?(?:years? ?olds?|yrs? ?old|y ?o|yos)\b|\baged? {_NUMBER_PATTERN}\b"
)
GERMAN_AGE_PATTERN = re.compile(
    rf"\b(?:(\d{{1,3}})|{GERMAN_NUMBER_WORDS}) ?(?:jahre? alt|jahrig\w*|jaehrig\w*)"
)
ASIAN_AGE_PATTERN = re.compile(
    rf"(\d{{1,3}})(?:歳|才|岁|歲|周岁)|(?<![{ASIAN_NUMERALS}])十?[一二三四五六七]?(?:歳|岁|歲)"
)


def check_prompt(
    prompt: str, banned_words: Sequence[str] = (), banned_patterns: Sequence[str] = ()
) -> None:
    """Refuse a prompt by its words; a negative prompt says what should not be there, and is free.

    Raises:
        ProhibitedContent: it joins minors with what is sexual.
        NotAllowed: it holds one of the words, or fits one of the patterns.
    """
    if sexualises_minors(prompt):
        raise ProhibitedContent
    if not prompt or not (banned_words or banned_patterns):
        return
    reading = NormalisedText(prompt)
    for word in banned_words:
        if reading.contains_word(word):
            raise _forbidden_text_error(word.removesuffix("*"))
    for pattern in banned_patterns:
        for text in (reading.text, *(form.strip() for form in reading.forms)):
            part = find_match(pattern, text)
            if part is not None:
                raise _forbidden_text_error(part)


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


def names_a_minor(plain: str, compact: str) -> bool:
    """Whether an age below eighteen is named.

    Args:
        plain: a normalised text, its words parted by single spaces.
        compact: the same without anything between its letters.
    """
    places = (
        (ENGLISH_AGE_PATTERN, plain),
        (GERMAN_AGE_PATTERN, plain),
        (ASIAN_AGE_PATTERN, compact),
    )
    return any(_is_minor_age(match) for form, text in places for match in form.finditer(text))


def _forbidden_text_error(forbidden_text: str) -> NotAllowed:
    quoted_text = " ".join(forbidden_text.replace("`", "ˋ").split())[:MAX_QUOTED_CHARACTERS]
    return NotAllowed(
        "Your prompt says “{said}”, which this server does not allow, however it is written. "
        "Leave it out.",
        said=quoted_text,
    )


def _is_minor_age(match: re.Match[str]) -> bool:
    """Whether the digits are few enough; every number in words that fits is."""
    digits = next((group for group in match.groups() if group), None)
    if digits is None:
        return match[0][0] not in "歳岁歲"  # the word for "years of age" alone is no age
    return int(digits) < ADULT_AGE_YEARS
