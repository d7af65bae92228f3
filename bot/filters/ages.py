"""Ages below eighteen in a text: in digits and in words, in the languages of the lists."""

from __future__ import annotations

import re

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


def _is_minor_age(match: re.Match[str]) -> bool:
    """Whether the digits are few enough; every number in words that fits is."""
    digits = next((group for group in match.groups() if group), None)
    if digits is None:
        return match[0][0] not in "歳岁歲"  # the word for "years of age" alone is no age
    return int(digits) < ADULT_AGE_YEARS
