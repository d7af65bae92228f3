"""Emphasis: which words of a prompt weigh how much, and where a new chunk begins."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

ROUND_WEIGHT = 1.1  # what one pair of round brackets multiplies by; a square pair divides by it

#: What the grammar tells apart: an escape, a weight that closes a bracket, a sign, plain text.
ATTENTION_TOKEN = re.compile(
    r"\\[()\[\]\\]?|:\s*(?P<weight>[+-]?[.\d]+)\s*\)|[()\[\]:]|[^\\()\[\]:]+"
)
_BREAK_WORD = re.compile(r"\bBREAK\b")


@dataclass(frozen=True)
class WeightedText:
    """A run of text with one weight (1.0 is plain; any sign, always finite)."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True)
class ChunkBreak:
    """The place where the text after it starts a new chunk of tokens."""


@dataclass
class _WeightDraft:
    """Texts and weights under construction, with the positions of the brackets still open."""

    texts: list[str | None] = field(default_factory=list)  # None is a break
    weights: list[float] = field(default_factory=list)
    round: list[int] = field(default_factory=list)
    square: list[int] = field(default_factory=list)

    def add_literal(self, text: str) -> None:
        parts = _BREAK_WORD.split(text)
        for number, part in enumerate(parts):
            if number:
                self.append_text(None)
                part = part.lstrip()
            if number < len(parts) - 1:
                part = part.rstrip()
            if part:
                self.append_text(part)

    def append_text(self, text: str | None) -> None:
        self.texts.append(text)
        self.weights.append(1.0)

    def multiply_weights(self, start: int, factor: float) -> None:
        self.weights[start:] = [weight * factor for weight in self.weights[start:]]


def parse_attention(text: str) -> tuple[WeightedText | ChunkBreak, ...]:
    """Split a prompt into pieces of equal weight.

    `(x)` weighs 1.1 times more, `[x]` 1.1 times less, `(x:1.3)` 1.3 times; nested brackets
    multiply; a backslash makes the bracket after it plain text; a bracket never closed acts to
    the end of the prompt. A number that is none is plain text. BREAK stays a break inside any
    bracket. Neighbours of equal weight are one piece. No text is no piece.
    """
    draft = _WeightDraft()
    for match in ATTENTION_TOKEN.finditer(text):
        _apply_token(draft, match)
    for start in draft.round:
        draft.multiply_weights(start, ROUND_WEIGHT)
    for start in draft.square:
        draft.multiply_weights(start, 1 / ROUND_WEIGHT)
    return tuple(_merge_runs(draft))


def strip_weights(text: str) -> str:
    """Take the brackets of weights and BREAK off a prompt; escaped brackets stay as text."""
    pieces = parse_attention(text)
    return "".join(piece.text if isinstance(piece, WeightedText) else " " for piece in pieces)


def has_weights(text: str) -> bool:
    """Whether a prompt weighs words or says BREAK."""
    return any(
        not isinstance(piece, WeightedText) or piece.weight != 1 for piece in parse_attention(text)
    )


def _apply_token(draft: _WeightDraft, match: re.Match[str]) -> None:
    mark, weight = match[0], match["weight"]
    if mark[0] == "\\":
        # A lone backslash vanishes, as it does in the web UI; a doubled one is text.
        draft.add_literal(mark[1:])
    elif mark == "(":
        draft.round.append(len(draft.texts))
    elif mark == "[":
        draft.square.append(len(draft.texts))
    elif weight is not None and draft.round:
        _close_weighted(draft, mark, weight)
    elif mark == ")" and draft.round:
        draft.multiply_weights(draft.round.pop(), ROUND_WEIGHT)
    elif mark == "]" and draft.square:
        draft.multiply_weights(draft.square.pop(), 1 / ROUND_WEIGHT)
    else:
        draft.add_literal(mark)


def _close_weighted(draft: _WeightDraft, mark: str, digits: str) -> None:
    weight = parse_weight(digits)
    if weight is None:
        draft.add_literal(mark[:-1])
        weight = ROUND_WEIGHT
    draft.multiply_weights(draft.round.pop(), weight)


def parse_weight(digits: str) -> float | None:
    """Read a signed decimal, or None for what is no finite number."""
    try:
        weight = float(digits)
    except ValueError:
        return None
    return weight if math.isfinite(weight) else None


def _merge_runs(draft: _WeightDraft) -> Iterator[WeightedText | ChunkBreak]:
    parts = zip(draft.texts, draft.weights, strict=True)
    for weight, run in groupby(parts, lambda part: None if part[0] is None else part[1]):
        if weight is None:
            yield from (ChunkBreak() for _ in run)
        else:
            # Digits without end can overflow in a product; such a weight means nothing.
            finite = weight if math.isfinite(weight) else 1.0
            yield WeightedText("".join(text for text, _ in run if text is not None), finite)
