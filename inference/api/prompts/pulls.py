"""Pulls: which of a job's texts a picture is drawn towards, whichever field they stand in.

A step goes to uncond + Σ weight · guidance · (cond − uncond), so the negative prompt counts
1 − guidance · Σ weight. It is meant to be below 0; where it is above, the negative prompt is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from inference.api.errors import JobError
from inference.api.prompts.attention import WeightedText, parse_attention
from inference.api.prompts.conjunction import split_and
from inference.api.prompts.extra_networks import take_networks
from inference.api.prompts.schedule import expand_schedule

MIN_PULL = 1e-3  # share of a prediction that shows in no picture
#: What single precision may lose of each part's pull.
PULL_PRECISION = 2.0**-22
#: Emphasis in a negative prompt beyond which the words' mean, kept the same, may change its sign.
MAX_NEGATIVE_EMPHASIS = 3.0
#: Characters of all the texts that a pair of prompts stands for from step to step.
MAX_RENDERED_CHARACTERS = 100_000

#: A number of steps, and the first pass's where this is the second of a hires fix.
StepCount = tuple[int, int | None]

_SEGMENT_END = re.compile(r"[,;\n]")
_SCHEDULE_SIGNS = re.compile(r"[\[\]|\\]")


def check_weights(prompt: str) -> None:
    """Refuse a prompt that would leave nothing but the negative one.

    Raises:
        JobError: the weights of its parts do not add up to more than 0.
    """
    total = sum(_part_weights(prompt))
    if not total > 0:
        raise JobError("prompt", "prompt.only_negative", total=f"{total:g}")


def draws_negative(prompt: str, negative: str, guidance: float, steps: Iterable[StepCount]) -> bool:
    """Whether a picture is drawn towards its negative prompt; `steps` as for `render_texts`.

    So it is where the parts' guidance adds up to less than 1, where that cannot be told in single
    precision, and where emphasis turns the words over: it may, once a weight is negative or very
    large, since the mean of all is kept.
    """
    if not negative.strip():
        return False
    pulls = [guidance * weight for weight in _part_weights(prompt)]
    precision = PULL_PRECISION * sum(map(abs, pulls))
    if not 1 - sum(pulls) + precision <= MIN_PULL:
        return True
    return any(
        not 0 <= piece.weight <= MAX_NEGATIVE_EMPHASIS
        for text in _expand_steps(negative, steps)
        for piece in parse_attention(text)
        if isinstance(piece, WeightedText)
    )


def render_texts(prompt: str, steps: Iterable[StepCount]) -> str:
    """Write down what a text encoder reads of a prompt at any step, each passage once.

    Tags are out, brackets and weights too, and each step's text stands for itself. A passage is two
    neighbours between commas. `steps` are the numbers of steps that may be run.

    Raises:
        JobError: from step to step it says too much.
    """
    passages: dict[str, None] = {}
    length = 0
    for part in split_and(take_networks(prompt)[0]):
        for text in _expand_steps(part.text, steps):
            for passage in _split_passages(_join_pieces(text)):
                if passage not in passages:
                    passages[passage] = None
                    length += len(passage)
            if length > MAX_RENDERED_CHARACTERS:
                raise JobError("prompt", "prompt.changes_too_often", most=MAX_RENDERED_CHARACTERS)
    return "\n".join(passages)


def _part_weights(prompt: str) -> list[float]:
    return [part.weight for part in split_and(take_networks(prompt)[0])]


def _expand_steps(text: str, steps: Iterable[StepCount]) -> Iterator[str]:
    if not _SCHEDULE_SIGNS.search(text):
        return iter((text,))
    return iter(
        dict.fromkeys(
            entry.text
            for count, base in steps
            for entry in expand_schedule(text, count, base_steps=base)
        )
    )


def _join_pieces(text: str) -> str:
    pieces = parse_attention(text)
    return "".join(piece.text if isinstance(piece, WeightedText) else " " for piece in pieces)


def _split_passages(text: str) -> Iterator[str]:
    segments = _SEGMENT_END.split(text)
    if len(segments) == 1:
        yield text
    yield from (f"{first},{second}" for first, second in pairwise(segments))
