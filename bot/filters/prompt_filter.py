"""What a prompt may say: nothing sexual about minors anywhere, then the server's own lists."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from string import ascii_letters

from confusable_homoglyphs.confusables import confusables_data

from bot.errors import NotAllowed, ProhibitedContent
from bot.filters.patterns import find_match

COMBINING_MARKS = re.compile(r"[\u0300-\u036f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
INVISIBLE_LETTERS = re.compile(
    r"[\u115f\u1160\u3164\uffa0\u180b-\u180e]"
)  # letters and marks without ink
BRAILLE_BLANK = "\u2800"  # braille's empty cell, which is no space to Unicode
ASIAN_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO")
LETTERS_BY_DIGIT = {
    "0": "o",
    "3": "e",
    "4": "a",
    "5": "s",
    "7": "t",
    "8": "b",
    "@": "a",
    "$": "s",
    "€": "e",
}
LEET_TABLES = tuple(
    str.maketrans({**LETTERS_BY_DIGIT, "1": one, "!": "i", "|": one}) for one in ("i", "l")
)
"""Digits and signs as letters; a 1 may be an i or an l."""
SPELLED_OUT_PATTERN = re.compile(r"(?<!\w)(?:\w ){2,}\w(?!\w)")
MIN_SPELLED_LETTERS = 4  # letters of a word that is found within letters in a row
STRETCHED_LETTER_PATTERN = re.compile(r"([a-z])\1{2,}")
KATAKANA_PATTERN = re.compile(r"[\u30a1-\u30fa\u30fc]+")
ASIAN_PATTERN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class NormalisedText:
    """One text in all the forms in which words are looked for."""

    def __init__(self, text: str) -> None:
        #: Letters and digits as meant, small; punctuation and spaces as they are.
        self.text = normalise_text(text)
        forms = dict.fromkeys(_text_forms(self.text))
        for table in LEET_TABLES:
            forms |= dict.fromkeys(_text_forms(self.text.translate(table)))
        #: Words parted by single spaces, with one at either end; the first as it is written.
        self.forms = tuple(f" {form} " for form in forms)
        self.words = frozenset(word for form in forms for word in form.split())
        #: Without anything between the letters, for scripts that part no words.
        self.compact = _keep_letters(self.text, "")
        #: What is written letter by letter, where nothing tells one word from the next.
        self.spelled = tuple(
            match[0].replace(" ", "")
            for form in forms
            for match in SPELLED_OUT_PATTERN.finditer(form)
        )

    def contains_word(self, word: str) -> bool:
        """Whether a word or a phrase stands in it; an asterisk at its end stands for any ending."""
        search_text, has_boundaries = _search_form(word)
        if not has_boundaries:
            return self._contains_asian(search_text)
        bare = search_text.replace(" ", "")
        if not bare:
            return False
        if search_text == f" {bare} ":
            if bare in self.words:
                return True
        elif any(search_text in form for form in self.forms):
            return True
        return len(bare) >= MIN_SPELLED_LETTERS and any(bare in run for run in self.spelled)

    def _contains_asian(self, search_text: str) -> bool:
        """Katakana are one word as long as they run on: ロリ does not stand in カロリー."""
        if KATAKANA_PATTERN.fullmatch(search_text):
            return any(search_text == run for run in KATAKANA_PATTERN.findall(self.compact))
        return search_text in self.compact


@cache
def _search_form(word: str) -> tuple[str, bool]:
    """Return a word as it is looked for, and whether its ends are marked by spaces."""
    search_text = normalise_text(word.removesuffix("*"))
    if ASIAN_PATTERN.search(search_text):
        return _keep_letters(search_text, ""), False
    return f" {_keep_letters(search_text, ' ')}" + " " * (not word.endswith("*")), True


def normalise_text(text: str) -> str:
    """Write a text in small letters of one alphabet, without what nobody sees."""
    wide = INVISIBLE_LETTERS.sub("", unicodedata.normalize("NFKC", text)).replace(
        BRAILLE_BLANK, " "
    )
    signs = (
        _normalise_sign(sign)
        for sign in wide
        if sign.isspace() or unicodedata.category(sign)[0] != "C"
    )
    plain = unicodedata.normalize("NFD", "".join(signs))
    return unicodedata.normalize("NFC", COMBINING_MARKS.sub("", plain))


def _normalise_sign(sign: str) -> str:
    if sign.isascii():
        return sign.lower()
    latin_letters, folded_sign = confusable_letters(), sign.casefold()
    return latin_letters.get(folded_sign) or latin_letters.get(sign) or folded_sign


@cache
def confusable_letters() -> Mapping[str, str]:
    """Return the letters that look like one of ours, by Unicode's own list of confusables."""
    return {
        confusable["c"]: letter.lower()
        for letter in ascii_letters
        for confusable in confusables_data[letter]
        if len(confusable["c"]) == 1
        and not confusable["c"].isascii()
        and not _is_asian(confusable["c"])
    }


def _is_asian(sign: str) -> bool:
    return unicodedata.name(sign, "").startswith(ASIAN_SCRIPTS)


def _text_forms(text: str) -> Iterator[str]:
    """Yield the words as written, with what stands inside them left out, and put together again."""
    plain = _keep_letters(text, " ")
    joined_text = " ".join(_keep_letters(run, "") for run in re.split(r"[\s,;]+", text))
    for form in (plain, " ".join(joined_text.split())):
        unspaced_form = SPELLED_OUT_PATTERN.sub(lambda match: match[0].replace(" ", ""), form)
        for variant in (form, unspaced_form):
            yield variant
            yield STRETCHED_LETTER_PATTERN.sub(r"\1", variant)


def _keep_letters(text: str, between: str) -> str:
    """Keep letters and digits, with `between` in place of whatever else stands there."""
    return between.join("".join(s if s.isalnum() else " " for s in text).split())


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
