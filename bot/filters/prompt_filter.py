"""What a prompt may say: nothing sexual about minors anywhere, then the server's own lists."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from bot.errors import NotAllowed, ProhibitedContent
from bot.filters.ages import names_minor_age
from bot.filters.normalised_text import NormalisedText
from bot.filters.patterns import PatternError, PatternsTooCostly, find_match
from bot.filters.word_lists import compile_word_list, leave_out_innocent

MAX_WRITTEN_OUT_CHARACTERS = 24_000  # one sign may stand for 18 letters
MAX_QUOTED_CHARACTERS = 60  # characters of a stranger's text that are given back


def check_prompt(
    prompt: str, banned_words: Sequence[str] = (), banned_patterns: Sequence[str] = ()
) -> None:
    """Refuse a prompt by its words; a negative prompt says what should not be there, and is free.

    Raises:
        ProhibitedContent: it joins minors with what is sexual.
        NotAllowed: it holds one of the words, fits one of the patterns, or has signs that stand for
            so many letters that reading it would hold the event loop.
    """
    written_out = len(unicodedata.normalize("NFKC", prompt))
    if written_out > MAX_WRITTEN_OUT_CHARACTERS:
        raise NotAllowed(
            "Your prompt has {count} characters when its signs are written out; at most {most} "
            "are read. Leave out signs that stand for several letters.",
            count=written_out,
            most=MAX_WRITTEN_OUT_CHARACTERS,
        )
    if sexualises_minors(prompt):
        raise ProhibitedContent
    if not prompt or not (banned_words or banned_patterns):
        return
    reading = NormalisedText(prompt)
    for word in banned_words:
        if reading.contains_word(word):
            raise _forbidden_text_error(word.removesuffix("*"))
    try:
        part = find_match(banned_patterns, [reading.text, *map(str.strip, reading.forms)])
    except (PatternError, PatternsTooCostly) as error:
        raise NotAllowed(
            "Your prompt cannot be checked against this server's patterns, which cost too much "
            "together. Shorten it, or ask the server's admins for simpler patterns."
        ) from error
    if part is not None:
        raise _forbidden_text_error(part)


def sexualises_minors(text: str) -> bool:
    """Whether a text names the abuse of children, or minors together with what is sexual."""
    reading = NormalisedText(leave_out_innocent(text))
    if compile_word_list("abuse").is_in(reading):
        return True
    return compile_word_list("sexual").is_in(reading) and (
        compile_word_list("minors").is_in(reading) or names_minor_age(reading)
    )


def _forbidden_text_error(forbidden_text: str) -> NotAllowed:
    quoted_text = " ".join(forbidden_text.replace("`", "ˋ").split())[:MAX_QUOTED_CHARACTERS]
    return NotAllowed(
        "Your prompt says “{said}”, which this server does not allow, however it is written. "
        "Leave it out.",
        said=quoted_text,
    )
