"""What a job's words may say: the rule for everyone, then the server's own."""

from __future__ import annotations

from bot.errors import NotAllowed
from bot.filters.minors import check_minors
from bot.filters.patterns import find_match
from bot.filters.text_normaliser import NormalisedText
from bot.guilds.settings import GuildSettings
from inference.api.jobs import Job

MAX_QUOTED_CHARACTERS = 60  # characters of a stranger's text that are given back


def check_prompt(rules: GuildSettings, job: Job) -> None:
    """Refuse a job by its words; a negative prompt says what should not be there, and is free.

    Raises:
        ProhibitedContent: it joins minors with what is sexual.
        NotAllowed: it says what the server's admins forbid.
    """
    prompt = str(getattr(job, "prompt", ""))
    if prompt:
        check_minors(prompt)
        check_words(rules, prompt)


def check_words(rules: GuildSettings, prompt: str) -> None:
    """Refuse words and patterns that a server's admins forbid.

    Raises:
        NotAllowed: names the first.
    """
    if not (rules.banned_words or rules.banned_patterns):
        return
    reading = NormalisedText(prompt)
    for word in rules.banned_words:
        if reading.contains_word(word):
            raise _forbidden_text_error(word.removesuffix("*"))
    for pattern in rules.banned_patterns:
        for text in (reading.text, *(form.strip() for form in reading.forms)):
            part = find_match(pattern, text)
            if part is not None:
                raise _forbidden_text_error(part)


def _forbidden_text_error(forbidden_text: str) -> NotAllowed:
    quoted_text = " ".join(forbidden_text.replace("`", "ˋ").split())[:MAX_QUOTED_CHARACTERS]
    return NotAllowed(
        "Your prompt says “{said}”, which this server does not allow, however it is written. "
        "Leave it out.",
        said=quoted_text,
    )
