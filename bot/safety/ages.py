"""Ages below eighteen in a text: in digits and in words, in the languages of the lists."""

from __future__ import annotations

import re

ADULT = 18  # years

ENGLISH = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    "sixteen|seventeen"
)
GERMAN = (
    "ein|zwei|drei|vier|funf|sechs|sieben|acht|neun|zehn|elf|zwolf|dreizehn|vierzehn|funfzehn|"
    "sechzehn|siebzehn"
)
ASIAN = "一二三四五六七八九十"

_NUMBER = rf"(?:(\d{{1,3}})|{ENGLISH})"
IN_ENGLISH = re.compile(rf"\b{_NUMBER} ?(?:years? ?olds?|yrs? ?old|y ?o|yos)\b|\baged? {_NUMBER}\b")
IN_GERMAN = re.compile(rf"\b(?:(\d{{1,3}})|{GERMAN}) ?(?:jahre? alt|jahrig\w*|jaehrig\w*)")
IN_ASIA = re.compile(
    rf"(\d{{1,3}})(?:歳|才|岁|歲|周岁)|(?<![{ASIAN}])十?[一二三四五六七]?(?:歳|岁|歲)"
)


def names_a_minor(plain: str, compact: str) -> bool:
    """Whether an age below eighteen is named.

    Args:
        plain: a normalised text, its words parted by single spaces.
        compact: the same without anything between its letters.
    """
    places = ((IN_ENGLISH, plain), (IN_GERMAN, plain), (IN_ASIA, compact))
    return any(_is_young(match) for form, text in places for match in form.finditer(text))


def _is_young(match: re.Match[str]) -> bool:
    """Whether the digits are few enough; every number in words that fits is."""
    digits = next((group for group in match.groups() if group), None)
    if digits is None:
        return match[0][0] not in "歳岁歲"  # the word for "years of age" alone is no age
    return int(digits) < ADULT
