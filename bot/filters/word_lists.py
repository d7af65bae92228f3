"""The lists of words that no server can allow together, and how they are looked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bot.filters.normalised_text import (
    EXACT_MARK,
    LONE_LETTERS,
    MAX_PARTED_LETTERS,
    MIN_SPELLED_LETTERS,
    REPEATED_LETTER_PATTERN,
    NormalisedText,
    is_pictograph,
    normalise_text,
)

WORD_LISTS_FOLDER = Path(__file__).with_name("lists")
MIN_STEM_LETTERS = 3  # letters of the shortest beginning on a list
MAX_ENDING_LETTERS = 2  # letters behind a beginning that stands in parts
EXPLAINED_SIGNS: Mapping[str, tuple[str, ...]] = {
    "🍆": ("eggplant*", "aubergine*", "vegetable*", "gemuse*"),
    "🍑": ("peach*", "fruit*", "pfirsich*", "obst*", "orchard*"),
    "💦": ("water*", "wasser*", "splash*", "swim*", "pool*", "rain*", "sprinkler*", "fountain*"),
}
"""Signs that are meant as they look where one of these words stands beside them."""


@dataclass(frozen=True)
class WordList:
    """A list's words, sorted by how they are looked for."""

    #: Words of our alphabet with their spaces taken out, and beginnings of such words.
    whole_words: frozenset[str]
    stems: frozenset[str]
    #: Those of both that are phrases.
    phrases: frozenset[str]
    #: What is looked for as it stands: phrases, words of other scripts, signs.
    others: tuple[str, ...]

    def is_in(self, reading: NormalisedText) -> bool:
        """Whether a text holds one of the words, however it is written."""
        return (
            self._holds_any(reading.words)
            or any(
                reading.contains_word(word)
                and not any(map(reading.contains_word, EXPLAINED_SIGNS.get(word, ())))
                for word in self.others
            )
            or self._is_respelled(reading)
            or self._is_parted(reading)
        )

    def _holds_any(self, words: Iterable[str]) -> bool:
        return any(word in self.whole_words or self._begins_with_stem(word) for word in words)

    def _begins_with_stem(self, word: str) -> bool:
        longest = min(len(word), MAX_PARTED_LETTERS)
        return any(word[:length] in self.stems for length in range(MIN_STEM_LETTERS, longest + 1))

    def _is_respelled(self, reading: NormalisedText) -> bool:
        """Whether letters of one of the words are doubled, or covered by a sign."""
        undoubled_words = {
            REPEATED_LETTER_PATTERN.sub(r"\1", word) for word in reading.words - innocent_words()
        }
        return self._holds_any(undoubled_words) or any(
            pattern.fullmatch(word) for pattern in reading.masked_words for word in self.whole_words
        )

    def _is_parted(self, reading: NormalisedText) -> bool:
        """Whether one of the words stands in parts, or letter by letter between others."""
        for whole, splits in reading.parted_words.items():
            if self._holds_any([whole]) and any(map(self._spans, splits - innocent_words())):
                return True
        return any(
            len(word) >= MIN_SPELLED_LETTERS and word in run
            for run in reading.spelled
            for word in (*self.whole_words, *self.stems)
        )

    def _spans(self, split: str) -> bool:
        """Whether one word reaches from the first part into the last.

        Where no part is a single letter, nearly all of it must be the word.
        """
        parts = split.split()
        whole, least = "".join(parts), len("".join(parts[:-1]))
        if self._holds_any(parts[:1]):
            return False
        if not LONE_LETTERS.isdisjoint(parts):
            return whole in self.whole_words or any(
                whole[:length] in self.stems for length in range(least + 1, len(whole) + 1)
            )
        return whole in self.whole_words - self.phrases or any(
            whole[:length] in self.stems - self.phrases
            for length in range(max(least + 1, len(whole) - MAX_ENDING_LETTERS), len(whole) + 1)
        )


@cache
def load_word_list(name: str) -> tuple[str, ...]:
    """Return the words of one list; lines that begin with # are remarks."""
    lines = (WORD_LISTS_FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


@cache
def compile_word_list(name: str) -> WordList:
    """Sort the words of one list."""
    whole_words: set[str] = set()
    stems: set[str] = set()
    phrases: set[str] = set()
    others: list[str] = []
    for word in load_word_list(name):
        bare = normalise_text(word.removesuffix("*"))
        letters = "".join(bare.split())
        is_special = word.startswith(EXACT_MARK) or is_pictograph(word)
        if is_special or not letters.isascii():
            others.append(word)
            continue
        if " " in bare:
            others.append(word)
            phrases.add(letters)
        (stems if word.endswith("*") else whole_words).add(letters)
    return WordList(frozenset(whole_words), frozenset(stems), frozenset(phrases), tuple(others))


def leave_out_innocent(text: str) -> str:
    """Leave out the innocent words of scripts in which words run into each other."""
    return _innocent_pattern().sub(" ", text)


@cache
def _innocent_pattern() -> re.Pattern[str]:
    return re.compile("|".join(word for word in load_word_list("innocent") if not word.isascii()))


@cache
def innocent_words() -> frozenset[str]:
    """Return what looks like a listed word, or holds one, and means something else."""
    return frozenset(normalise_text(word) for word in load_word_list("innocent"))
