"""Wildcards: words drawn from lists, by a seed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, product
from random import Random

#: A list's name between its marks, as a prompt writes it: `__animals/cat__`.
MENTION_PATTERN = re.compile(r"__([A-Za-z0-9][\w/.-]*?)__")
MAX_LIST_DEPTH = 64  # lists inside lists
#: Characters: lists that name themselves twice would double without end.
MAX_PROMPT_CHARACTERS = 20_000

_CHOICE_COUNT = re.compile(r"\s*(\d{1,3})(?:-(\d{1,3}))?\$\$")
_WILDCARD_SIGNS = re.compile(r"\\.|[{}\[\]|]", re.DOTALL)
_PROMPT_ARRAY = re.compile(r"\[\[([^\[\]]*)\]\]")


def find_list_mentions(text: str) -> tuple[str, ...]:
    """List the names that a prompt draws from, each once, in order."""
    return tuple(dict.fromkeys(MENTION_PATTERN.findall(text)))


def draw_wildcards(
    text: str, seed: int, lists: Mapping[str, Sequence[str]], *, index: int | None = None
) -> str:
    """Replace every choice of a prompt by what the seed draws.

    `{a|b}` becomes one of its parts, `{2$$a|b|c}` two different ones in drawn order, joined by
    ", " (`{1-2$$…}` draws how many, too), `__name__` a line of the list of that name; with
    `index` the line of that number instead, counted round. All nest. A name without a list stands
    for the bare word, as does one deeper than 64 lists. Braces without "|" stay text.
    The same text, seed and lists always give the same prompt.
    """
    wildcard_draw = _WildcardDraw(Random(seed), lists, index)
    for _ in range(MAX_LIST_DEPTH):
        drawn_text = wildcard_draw.draw_once(text)
        if drawn_text == text or len(drawn_text) > MAX_PROMPT_CHARACTERS:
            break
        text = drawn_text
    return MENTION_PATTERN.sub(r"\1", text)


@dataclass(frozen=True)
class _WildcardDraw:
    random: Random
    lists: Mapping[str, Sequence[str]]
    index: int | None

    def draw_once(self, text: str) -> str:
        """Draw the outermost braces, then one level of names."""
        parts: list[str] = []
        position = 0
        for start, end, choices in _find_braces(text):
            parts += [text[position:start], self._draw_choice(choices)]
            position = end
        return MENTION_PATTERN.sub(self._draw_line, "".join([*parts, text[position:]]))

    def _draw_choice(self, choices: Sequence[str]) -> str:
        match = _CHOICE_COUNT.match(choices[0])
        if match is None:
            return self.random.choice(choices)
        options = [choices[0][match.end() :], *choices[1:]]
        low, high = int(match[1]), int(match[2] or match[1])
        count = min(self.random.randint(min(low, high), max(low, high)), len(options))
        return ", ".join(self.random.sample(options, count))

    def _draw_line(self, match: re.Match[str]) -> str:
        lines = self.lists.get(match[1])
        if not lines:
            return match[1]
        return (
            lines[self.index % len(lines)] if self.index is not None else self.random.choice(lines)
        )


@dataclass
class _OpenBrace:
    """A brace not yet closed."""

    start: int
    bars: list[int]
    square: int = 0  # brackets open inside it: their bars alternate per step and choose nothing


def _find_braces(text: str) -> list[tuple[int, int, list[str]]]:
    """Find the outermost braces that offer a choice: start, end, and what lies between the bars."""
    braces: list[tuple[int, int, list[str]]] = []
    stack: list[_OpenBrace] = []
    for match in _WILDCARD_SIGNS.finditer(text):
        sign, position = match[0], match.start()
        if sign == "{":
            stack.append(_OpenBrace(position, []))
        elif sign == "}" and stack:
            _close_brace(text, stack.pop(), position, braces)
        elif stack:
            _note_sign(stack[-1], sign, position)
    return braces


def _note_sign(brace: _OpenBrace, sign: str, position: int) -> None:
    if sign == "|" and not brace.square:
        brace.bars.append(position)
    elif sign in "[]":
        brace.square = max(0, brace.square + (1 if sign == "[" else -1))


def _close_brace(
    text: str, brace: _OpenBrace, end: int, braces: list[tuple[int, int, list[str]]]
) -> None:
    if brace.bars or _CHOICE_COUNT.match(text, brace.start + 1):
        while braces and braces[-1][0] > brace.start:
            braces.pop()
        braces.append((brace.start, end + 1, _split_at(text, [brace.start, *brace.bars, end])))


def _split_at(text: str, marks: Sequence[int]) -> list[str]:
    return [text[left + 1 : right] for left, right in pairwise(marks)]


def expand_prompt_arrays(text: str, limit: int = 64) -> tuple[str, ...]:
    """Make one prompt of each element of `[[a, b]]`, every combination of several, up to `limit`.

    The same signs weigh text down in the emphasis grammar, so this happens only where asked for.
    """
    pieces = _PROMPT_ARRAY.split(text)
    options = [
        _array_elements(piece) if number % 2 else [piece] for number, piece in enumerate(pieces)
    ]
    return tuple("".join(parts) for parts in islice(product(*options), limit))


def _array_elements(array_text: str) -> list[str]:
    if "," not in array_text:
        return [f"[[{array_text}]]"]
    return [element.strip() for element in array_text.split(",")]
