"""What a job says: every text of it that a picture may follow, read by the rules of its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from bot.filters.prompt_filter import check_prompt
from inference.api.errors import JobError
from inference.api.jobs import Job
from inference.api.jobs.drawn_prompts import list_drawn_prompts, read_pulled_texts
from inference.api.prompts.extra_networks import LoraTag, read_loras, take_networks
from inference.api.prompts.mask_words import find_quoted_words

MAX_READ_CHARACTERS = 500_000  # characters of one job, with all that its seeds and steps make of it
NAME_PARTS = re.compile(r"(?<=[a-z])(?=[A-Z])|[\W_\d]+")
AGE_WORDS = frozenset({"age", "aged", "ages", "adult", "adults", "mature", "old", "older", "aging"})
"""In a LoRA's name: with a weight below 0 it makes people younger."""


def check_job_words(
    job: Job,
    lists: Mapping[str, Sequence[str]],
    banned_words: Sequence[str] = (),
    banned_patterns: Sequence[str] = (),
) -> None:
    """Refuse a job by the words that its pictures follow, whichever field they stand in.

    That is the prompt as it was written and as its seeds draw it, step by step, the names of its
    LoRAs, what a mask is to find, and the negative prompt where the weights turn it into one.

    Raises:
        ProhibitedContent: it joins minors with what is sexual.
        NotAllowed: it holds one of the words, or fits one of the patterns.
        JobError: its weights leave nothing but the negative prompt, or it changes too often.
    """
    prompt = job.positive_prompts
    check_prompt(prompt, banned_words, banned_patterns)
    length = 0
    for drawn_passes in list_drawn_prompts(job, lists):
        texts = [read_pulled_texts(job, drawn_passes)]
        texts += (name for drawn in drawn_passes for name in _read_names(drawn.prompt))
        texts += find_quoted_words(str(getattr(job, "mask_shape", "")))
        text = "\n".join(filter(None, texts))
        length += len(text)
        if length > MAX_READ_CHARACTERS:
            raise JobError("prompt", "prompt.changes_too_often", most=MAX_READ_CHARACTERS)
        if text != prompt:
            check_prompt(text, banned_words, banned_patterns)


def _read_names(prompt: str) -> Iterator[str]:
    """Yield the names of a prompt's LoRAs as words, with what they do to an age."""
    for lora in read_loras(take_networks(prompt)[1]):
        words = NAME_PARTS.sub(" ", lora.name).split()
        yield " ".join(words)
        if _makes_younger(lora, words):
            yield "child"


def _makes_younger(lora: LoraTag, words: Sequence[str]) -> bool:
    return min(lora.te, lora.unet) < 0 and not AGE_WORDS.isdisjoint(map(str.lower, words))
