"""Conjunction: several prompts in one, each pulling with its own weight."""

from __future__ import annotations

import re
from dataclasses import dataclass

from inference.api.prompts.attention import parse_weight

_AND_WORD = re.compile(r"\bAND\b")
_TRAILING_WEIGHT = re.compile(r"[+-]?(?:\d+\.?|\d*\.\d+)")


@dataclass(frozen=True)
class PromptTerm:
    """One of the prompts joined by AND, and how much of the guidance follows it."""

    text: str
    weight: float = 1.0


def split_and(text: str) -> tuple[PromptTerm, ...]:
    """Split a positive prompt at each word AND and read the weight that ends a part.

    A part ends in `:w`, signed; without one it weighs 1. The guided result is
    uncond + Σ weight · guidance · (cond − uncond). Negative prompts are never split.
    """
    return tuple(_parse_term(part) for part in _AND_WORD.split(text))


def _parse_term(text: str) -> PromptTerm:
    head, colon, tail = text.rpartition(":")
    digits = tail.strip()
    weight = parse_weight(digits) if colon and _TRAILING_WEIGHT.fullmatch(digits) else None
    return PromptTerm(text.rstrip()) if weight is None else PromptTerm(head.rstrip(), weight)
