"""What a job's words may say: the rule for everyone, then the server's own."""

from __future__ import annotations

from bot.errors import NotAllowed
from bot.policy.rules import Rules
from bot.safety.letters import Reading
from bot.safety.minors import check_minors
from bot.safety.patterns import found
from inference.jobs import Job

MAX_SHOWN = 60  # characters of a stranger's text that are given back


def check_prompt(rules: Rules, job: Job) -> None:
    """Refuse a job by its words; a negative prompt says what should not be there, and is free.

    Raises:
        NeverAllowed: it joins minors with what is sexual.
        NotAllowed: it says what the server's admins forbid.
    """
    prompt = str(getattr(job, "prompt", ""))
    if prompt:
        check_minors(prompt)
        check_words(rules, prompt)


def check_words(rules: Rules, prompt: str) -> None:
    """Refuse words and patterns that a server's admins forbid.

    Raises:
        NotAllowed: names the first.
    """
    if not (rules.banned_words or rules.banned_patterns):
        return
    reading = Reading(prompt)
    for word in rules.banned_words:
        if reading.has(word):
            raise _refusal(word.removesuffix("*"))
    for pattern in rules.banned_patterns:
        for text in (reading.text, *(form.strip() for form in reading.forms)):
            part = found(pattern, text)
            if part is not None:
                raise _refusal(part)


def _refusal(said: str) -> NotAllowed:
    shown = " ".join(said.replace("`", "ˋ").split())[:MAX_SHOWN]
    return NotAllowed(
        "Your prompt says “{said}”, which this server does not allow, however it is written. "
        "Leave it out.",
        said=shown,
    )
