"""Wildcards: words drawn from lists, by a seed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, product
from random import Random

from inference.jobs.wordlists import MENTION

MAX_DEPTH = 64  # lists inside lists
MAX_LENGTH = 20_000  # characters: lists that name themselves twice would double without end

_CHOOSE = re.compile(r"\s*(\d{1,3})(?:-(\d{1,3}))?\$\$")
_SIGNS = re.compile(r"\\.|[{}\[\]|]", re.DOTALL)
_ARRAY = re.compile(r"\[\[([^\[\]]*)\]\]")


def draw(
    text: str, seed: int, lists: Mapping[str, Sequence[str]], *, index: int | None = None
) -> str:
    """Replace every choice of a prompt by what the seed draws.

    `{a|b}` becomes one of its parts, `{2$$a|b|c}` two different ones in drawn order, joined by
    ", " (`{1-2$$…}` draws how many, too), `__name__` a line of the list of that name; with
    `index` the line of that number instead, counted round. All nest. A name without a list stands
    for the bare word, as does one deeper than 64 lists. Braces without "|" stay text.
    The same text, seed and lists always give the same prompt.
    """
    drawing = _Drawing(Random(seed), lists, index)
    for _ in range(MAX_DEPTH):
        drawn = drawing.once(text)
        if drawn == text or len(drawn) > MAX_LENGTH:
            break
        text = drawn
    return MENTION.sub(r"\1", text)


@dataclass(frozen=True)
class _Drawing:
    random: Random
    lists: Mapping[str, Sequence[str]]
    index: int | None

    def once(self, text: str) -> str:
        """Draw the outermost braces, then one level of names."""
        parts: list[str] = []
        rest = 0
        for start, end, choices in _braces(text):
            parts += [text[rest:start], self._choice(choices)]
            rest = end
        return MENTION.sub(self._line, "".join([*parts, text[rest:]]))

    def _choice(self, choices: Sequence[str]) -> str:
        match = _CHOOSE.match(choices[0])
        if match is None:
            return self.random.choice(choices)
        options = [choices[0][match.end() :], *choices[1:]]
        low, high = int(match[1]), int(match[2] or match[1])
        count = min(self.random.randint(min(low, high), max(low, high)), len(options))
        return ", ".join(self.random.sample(options, count))

    def _line(self, match: re.Match[str]) -> str:
        lines = self.lists.get(match[1])
        if not lines:
            return match[1]
        return (
            lines[self.index % len(lines)] if self.index is not None else self.random.choice(lines)
        )


@dataclass
class _Open:
    """A brace not yet closed."""

    start: int
    bars: list[int]
    square: int = 0  # brackets open inside it: their bars alternate per step and choose nothing


def _braces(text: str) -> list[tuple[int, int, list[str]]]:
    """Find the outermost braces that offer a choice: start, end, and what lies between the bars."""
    found: list[tuple[int, int, list[str]]] = []
    stack: list[_Open] = []
    for match in _SIGNS.finditer(text):
        sign, position = match[0], match.start()
        if sign == "{":
            stack.append(_Open(position, []))
        elif sign == "}" and stack:
            _close(text, stack.pop(), position, found)
        elif stack:
            _note(stack[-1], sign, position)
    return found


def _note(brace: _Open, sign: str, position: int) -> None:
    if sign == "|" and not brace.square:
        brace.bars.append(position)
    elif sign in "[]":
        brace.square = max(0, brace.square + (1 if sign == "[" else -1))


def _close(text: str, brace: _Open, end: int, found: list[tuple[int, int, list[str]]]) -> None:
    if brace.bars or _CHOOSE.match(text, brace.start + 1):
        while found and found[-1][0] > brace.start:
            found.pop()
        found.append((brace.start, end + 1, _cut(text, [brace.start, *brace.bars, end])))


def _cut(text: str, marks: Sequence[int]) -> list[str]:
    return [text[left + 1 : right] for left, right in pairwise(marks)]


def spread(text: str, limit: int = 64) -> tuple[str, ...]:
    """Make one prompt of each element of `[[a, b]]`, every combination of several, up to `limit`.

    The same signs weigh text down in the emphasis grammar, so this happens only where asked for.
    """
    pieces = _ARRAY.split(text)
    options = [_elements(piece) if number % 2 else [piece] for number, piece in enumerate(pieces)]
    return tuple("".join(words) for words in islice(product(*options), limit))


def _elements(inside: str) -> list[str]:
    if "," not in inside:
        return [f"[[{inside}]]"]
    return [element.strip() for element in inside.split(",")]
