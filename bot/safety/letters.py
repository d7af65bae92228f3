"""A prompt as it is meant to be read, whatever letters it is written in.

Who wants to slip a word past a rule writes it with letters of another script that look alike, with
digits for letters, with signs nobody sees or dots in between. A reading undoes all of that; words
are then looked for in every form it can take.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from string import ascii_letters

from confusable_homoglyphs.confusables import confusables_data

COMBINING = re.compile(r"[\u0300-\u036f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
UNSEEN = re.compile(r"[\u115f\u1160\u3164\uffa0\u180b-\u180e]")  # letters and marks without ink
BLANK = "\u2800"  # braille's empty cell, which is no space to Unicode
OWN_SCRIPT = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO")
DIGITS = {"0": "o", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "@": "a", "$": "s", "€": "e"}
LEET = tuple(str.maketrans({**DIGITS, "1": one, "!": "i", "|": one}) for one in ("i", "l"))
"""Digits and signs as letters; a 1 may be an i or an l."""
SPELLED = re.compile(r"(?<!\w)(?:\w ){2,}\w(?!\w)")
LEAST_SPELLED = 4  # letters of a word that is found within letters in a row
STRETCHED = re.compile(r"([a-z])\1{2,}")
KATAKANA = re.compile(r"[\u30a1-\u30fa\u30fc]+")
ASIAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class Reading:
    """One text in all the forms in which words are looked for."""

    def __init__(self, text: str) -> None:
        #: Letters and digits as meant, small; punctuation and spaces as they are.
        self.text = normal(text)
        forms = dict.fromkeys(_forms(self.text))
        for table in LEET:
            forms |= dict.fromkeys(_forms(self.text.translate(table)))
        self.forms = tuple(f" {form} " for form in forms)
        """Words parted by single spaces, with one at either end; the first as it is written."""
        self.words = frozenset(word for form in forms for word in form.split())
        self.compact = _letters(self.text, "")
        """Without anything between the letters, for scripts that part no words."""
        self.spelled = tuple(
            match[0].replace(" ", "") for form in forms for match in SPELLED.finditer(form)
        )
        """What is written letter by letter, where nothing tells one word from the next."""

    def has(self, word: str) -> bool:
        """Whether a word or a phrase stands in it; an asterisk at its end stands for any ending."""
        wanted, bounded = _wanted(word)
        if not bounded:
            return self._has_asian(wanted)
        bare = wanted.replace(" ", "")
        if not bare:
            return False
        if wanted == f" {bare} ":
            if bare in self.words:
                return True
        elif any(wanted in form for form in self.forms):
            return True
        return len(bare) >= LEAST_SPELLED and any(bare in run for run in self.spelled)

    def _has_asian(self, wanted: str) -> bool:
        """Katakana are one word as long as they run on: ロリ does not stand in カロリー."""
        if KATAKANA.fullmatch(wanted):
            return any(wanted == run for run in KATAKANA.findall(self.compact))
        return wanted in self.compact


@cache
def _wanted(word: str) -> tuple[str, bool]:
    """Return a word as it is looked for, and whether its ends are marked by spaces."""
    wanted = normal(word.removesuffix("*"))
    if ASIAN.search(wanted):
        return _letters(wanted, ""), False
    return f" {_letters(wanted, ' ')}" + " " * (not word.endswith("*")), True


def normal(text: str) -> str:
    """Write a text in small letters of one alphabet, without what nobody sees."""
    wide = UNSEEN.sub("", unicodedata.normalize("NFKC", text)).replace(BLANK, " ")
    signs = (_sign(sign) for sign in wide if sign.isspace() or unicodedata.category(sign)[0] != "C")
    plain = unicodedata.normalize("NFD", "".join(signs))
    return unicodedata.normalize("NFC", COMBINING.sub("", plain))


def _sign(sign: str) -> str:
    if sign.isascii():
        return sign.lower()
    alike, small = look_alikes(), sign.casefold()
    return alike.get(small) or alike.get(sign) or small


@cache
def look_alikes() -> Mapping[str, str]:
    """Return the letters that look like one of ours, by Unicode's own list of confusables."""
    return {
        other["c"]: letter.lower()
        for letter in ascii_letters
        for other in confusables_data[letter]
        if len(other["c"]) == 1 and not other["c"].isascii() and not _is_asian(other["c"])
    }


def _is_asian(sign: str) -> bool:
    return unicodedata.name(sign, "").startswith(OWN_SCRIPT)


def _forms(text: str) -> Iterator[str]:
    """Yield the words as written, with what stands inside them left out, and put together again."""
    plain = _letters(text, " ")
    joined = " ".join(_letters(run, "") for run in re.split(r"[\s,;]+", text))
    for form in (plain, " ".join(joined.split())):
        spelled = SPELLED.sub(lambda match: match[0].replace(" ", ""), form)
        for one in (form, spelled):
            yield one
            yield STRETCHED.sub(r"\1", one)


def _letters(text: str, between: str) -> str:
    """Keep letters and digits, with `between` in place of whatever else stands there."""
    return between.join("".join(s if s.isalnum() else " " for s in text).split())
