"""Prompt matrix: one prompt for each selection of optional parts."""

from __future__ import annotations

import re
from itertools import pairwise

MAX_OPTIONS = 6  # 64 prompts

_SIGNS = re.compile(r"\\.|[\[\]{}|]", re.DOTALL)


def matrix(text: str) -> tuple[str, ...]:
    """Make every selection of the options of `base|a|b|…`, joined by ", ", the base always first.

    n parts give 2^(n-1) prompts, counted in binary with the first option as the lowest digit.
    Bars inside square brackets or braces belong to those grammars.

    Raises: ValueError for more than six options.
    """
    base, *options = (part.strip(" ,") for part in _split(text))
    if len(options) > MAX_OPTIONS:
        message = f"The prompt matrix has {len(options)} options; {MAX_OPTIONS} are the most."
        raise ValueError(message)
    selections = (
        [option for digit, option in enumerate(options) if number >> digit & 1]
        for number in range(2 ** len(options))
    )
    return tuple(", ".join([base, *selected]) for selected in selections)


def _split(text: str) -> list[str]:
    marks, depth = [-1], 0
    for match in _SIGNS.finditer(text):
        if match[0] in "[{":
            depth += 1
        elif match[0] in "]}":
            depth = max(0, depth - 1)
        elif match[0] == "|" and not depth:
            marks.append(match.start())
    return [text[left + 1 : right] for left, right in pairwise([*marks, len(text)])]
