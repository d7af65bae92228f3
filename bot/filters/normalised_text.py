"""Texts as they are meant: one alphabet, without what nobody sees, in all forms a word hides in."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from string import ascii_letters

from confusable_homoglyphs.confusables import confusables_data

IGNORABLE_SIGNS = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""What Unicode says to show nothing for (Default_Ignorable_Code_Point)."""
HYPHENATED_BREAK = re.compile(r"[\u00ad\u2010-]\s*\n\s*|\u00ad\s+")
BRAILLE_BLANK = "\u2800"  # braille's empty cell, which is no space to Unicode
COMBINING_ACCENTS = re.compile(r"[\u0300-\u036f]+")
ASIAN_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO")
NAMED_LETTER = re.compile(
    r"(?:.* )?(?:LATIN|REGIONAL|MODIFIER)\b.* (?:LETTER|CAPITAL|SMALL|DOTLESS|SCRIPT|TURNED)"
    r" ([A-Z])(?: WITH .*)?"
)
"""How Unicode names letters that are one of ours in another dress: turned, boxed, crossed."""
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
LEET_SIGNS = re.compile(r"[013457-8@$€!|]")
TURNED_SIGNS = dict(zip("ɐɔǝəɟƃᵷɥᴉıɾʞןʃɯɹʇʌʍʎ", "aceefgghiijkllmrtvwy", strict=True))
TURNED_SIGNS_PATTERN = re.compile(f"[{''.join(TURNED_SIGNS).replace('ı', '')}]")
TURNED_LETTERS = str.maketrans(
    TURNED_SIGNS | dict(zip("bdpqnumw69", "qpdbunwm96", strict=True)),
)
"""What letters look like upside down."""
SPELLED_OUT_PATTERN = re.compile(r"(?<!\w)(?:\w ){2,}\w(?!\w)")
MIN_SPELLED_LETTERS = 4  # letters of a word that is found within letters in a row
MAX_PARTS = 5  # parts of one word that are put together again
MAX_PARTED_LETTERS = 24
LONE_LETTERS = frozenset("bcdefghjklmnopqrstuvwxyz")  # a and i are words
REPEATED_LETTER_PATTERN = re.compile(r"([a-z])\1+")
STRETCHED_LETTER_PATTERN = re.compile(r"([a-z])\1{2,}")
MASKED_WORD_PATTERN = re.compile(r"[\w*#•●▪]+")
MASK_PATTERN = re.compile(r"[*#•●▪_]")
APOSTROPHES = re.compile(r"['\u2019\u02bc\u00b4`]")
GAP_PATTERN = re.compile(r"[\s,;]+")
WORD_PATTERN = re.compile(r"[^\W_]+")
KATAKANA_PATTERN = re.compile(r"[\u30a1-\u30fa\u30fc]+")
HANGUL_PATTERN = re.compile(r"[\uac00-\ud7af]")
ASIAN_PATTERN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
EXACT_MARK = "="
"""Begins a listed word that is another without its accents: niña is no Nina."""


class NormalisedText:
    """One text in all the forms in which words are looked for."""

    def __init__(self, text: str) -> None:
        self._source = text
        #: Letters and digits as meant, small; punctuation and spaces as they are.
        self.text = normalise_text(text)
        self._plain_forms = tuple(dict.fromkeys(_plain_forms(text, self.text)))
        forms = dict.fromkeys(form for plain in self._plain_forms for form in _text_forms(plain))
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
        """Whether a word or a phrase stands in it.

        An asterisk at its end stands for any ending, an equals sign before it says that its accents
        count. A sign that is no letter, such as an emoji, is found wherever it stands.
        """
        if word.startswith(EXACT_MARK):
            return word.removeprefix(EXACT_MARK) in self.exact_words
        if is_pictograph(word):
            return word in self.text
        search_text, has_boundaries = _search_form(word)
        if not has_boundaries:
            return self._contains_asian(search_text)
        bare = search_text.replace(" ", "")
        if not bare:
            return False
        if search_text == f" {bare} ":
            if bare in self.words or self._has_lone_letters(bare):
                return True
        elif any(search_text in form for form in self.forms):
            return True
        return len(bare) >= MIN_SPELLED_LETTERS and any(bare in run for run in self.spelled)

    @cached_property
    def exact_words(self) -> frozenset[str]:
        """The words as they are spelled, small, with their accents."""
        source = IGNORABLE_SIGNS.sub("", unicodedata.normalize("NFKC", self._source))
        return frozenset(WORD_PATTERN.findall(source.casefold()))

    @cached_property
    def katakana_words(self) -> frozenset[str]:
        """The runs of katakana, each as long as it is."""
        return frozenset(KATAKANA_PATTERN.findall(self.compact))

    @cached_property
    def parted_words(self) -> Mapping[str, frozenset[str]]:
        """Neighbouring parts put together: each with the ways it is parted in, by single spaces."""
        words: dict[str, set[str]] = {}
        for plain in self._plain_forms:
            parts = WORD_PATTERN.findall(APOSTROPHES.sub("", plain))
            for start in range(len(parts)):
                whole = parts[start]
                for end in range(start + 1, min(start + MAX_PARTS, len(parts))):
                    whole += parts[end]
                    if len(whole) > MAX_PARTED_LETTERS:
                        break
                    words.setdefault(whole, set()).add(" ".join(parts[start : end + 1]))
        return {whole: frozenset(splits) for whole, splits in words.items()}

    def _has_lone_letters(self, word: str) -> bool:
        """Whether a word stands in parts, a letter that is no word of its own among them."""
        return any(
            not LONE_LETTERS.isdisjoint(split.split()) for split in self.parted_words.get(word, ())
        )

    @cached_property
    def masked_words(self) -> tuple[re.Pattern[str], ...]:
        """What words with signs in the place of letters may be: n*de."""
        words = {
            word
            for plain in self._plain_forms
            for word in MASKED_WORD_PATTERN.findall(plain)
            if len(word) <= MAX_PARTED_LETTERS and word[0].isalnum() and word[-1].isalnum()
        }
        return tuple(
            re.compile(MASK_PATTERN.sub(".", word)) for word in words if not word.isalnum()
        )

    def _contains_asian(self, search_text: str) -> bool:
        """Look for a word where words run on.

        Katakana are one word as long as they do: ロリ does not stand in カロリー. Korean parts its
        phrases by spaces.
        """
        if KATAKANA_PATTERN.fullmatch(search_text):
            return any(search_text == run for run in KATAKANA_PATTERN.findall(self.compact))
        if HANGUL_PATTERN.match(search_text):
            return search_text in self.parted_words or any(
                search_text in form for form in self.forms
            )
        return search_text in self.compact


@cache
def _search_form(word: str) -> tuple[str, bool]:
    """Return a word as it is looked for, and whether its ends are marked by spaces."""
    search_text = normalise_text(word.removesuffix("*"))
    if ASIAN_PATTERN.search(search_text):
        return _keep_letters(search_text, ""), False
    return f" {_keep_letters(search_text, ' ')}" + " " * (not word.endswith("*")), True


@cache
def is_pictograph(word: str) -> bool:
    """Whether a word is a single sign that is a picture, as emoji are."""
    return len(word) == 1 and unicodedata.category(word) == "So"


def normalise_text(text: str) -> str:
    """Write a text in small letters of one alphabet, without what nobody sees."""
    wide = unicodedata.normalize("NFKC", HYPHENATED_BREAK.sub("", text))
    plain = unicodedata.normalize("NFD", wide.translate(_SIGN_TABLE))
    if not plain.isascii():
        plain = _combining_marks().sub("", COMBINING_ACCENTS.sub("", plain))
    return unicodedata.normalize("NFC", plain)


class _SignTable(dict[int, str]):
    """What each sign is written as, looked up when it is first met."""

    def __missing__(self, code: int) -> str:
        letter = self[code] = _normalise_sign(chr(code))
        return letter


_SIGN_TABLE = _SignTable()


def _normalise_sign(sign: str) -> str:
    if sign.isascii():
        return sign.lower() if sign.isspace() or sign.isprintable() else ""
    if sign == BRAILLE_BLANK:
        return " "
    if IGNORABLE_SIGNS.match(sign):
        return ""
    if not sign.isspace() and unicodedata.category(sign)[0] == "C":
        return ""
    latin_letters, folded_sign = confusable_letters(), sign.casefold()
    return (
        latin_letters.get(folded_sign)
        or latin_letters.get(sign)
        or _named_letter(sign)
        or TURNED_SIGNS.get(sign, folded_sign)
    )


def _named_letter(sign: str) -> str | None:
    """Return the letter that a sign is by its name: 🅲, 🇨, ᴄ, ɔ and ƈ are a c."""
    match = NAMED_LETTER.fullmatch(unicodedata.name(sign, ""))
    return None if match is None else match[1].lower()


@cache
def _combining_marks() -> re.Pattern[str]:
    """Match whatever is laid over a letter or digit of ours."""
    marks = "".join(
        re.escape(chr(code))
        for code in range(0x300, sys.maxunicode)
        if unicodedata.category(chr(code)) in ("Mn", "Me")
    )
    return re.compile(rf"[{marks}](?<=[a-z0-9].)[{marks}]*")


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


def _plain_forms(source: str, normalised_text: str) -> Iterator[str]:
    """Yield a text with its punctuation: as written, turned over, with digits as letters."""
    yield normalised_text
    texts = [normalised_text]
    if TURNED_SIGNS_PATTERN.search(source.casefold()):
        turned_text = source.casefold().translate(TURNED_LETTERS)[::-1]
        texts.append(normalise_text(turned_text))
    for text in texts:
        yield text
        if LEET_SIGNS.search(text):
            yield from (text.translate(table) for table in LEET_TABLES)


def _text_forms(text: str) -> Iterator[str]:
    """Yield the words as written, with what stands inside them left out, and put together again."""
    plain = _keep_letters(text, " ")
    runs = (_keep_letters(run, "") for run in GAP_PATTERN.split(text))
    joined_form = " ".join(filter(None, runs))
    for form in dict.fromkeys((plain, joined_form)):
        unspaced_form = SPELLED_OUT_PATTERN.sub(lambda match: match[0].replace(" ", ""), form)
        for variant in dict.fromkeys((form, unspaced_form)):
            yield variant
            if STRETCHED_LETTER_PATTERN.search(variant):
                yield STRETCHED_LETTER_PATTERN.sub(r"\1", variant)
                yield STRETCHED_LETTER_PATTERN.sub(r"\1\1", variant)


def _keep_letters(text: str, between: str) -> str:
    """Keep letters and digits, with `between` in place of whatever else stands there."""
    return between.join(WORD_PATTERN.findall(text))
