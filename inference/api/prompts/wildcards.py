"""Wildcards: words drawn from lists, by a seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise, product
from random import Random

#: A list's name between its marks, as a prompt writes it: `__animals/cat__`.
MENTION_PATTERN = re.compile(r"__(?P<mention>[A-Za-z0-9][\w/.-]*?)__")
MAX_LIST_DEPTH = 64  # lists inside lists
#: Characters: lists that name themselves twice would double without end.
MAX_PROMPT_CHARACTERS = 20_000

_CHOICE_COUNT = re.compile(r"\s*(?=[\d-])(?P<low>\d{1,3})?(?P<open>-)?(?P<high>(?<=-)\d{1,3})?\$\$")
_CHOICE_WEIGHT = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)::")
_TAG = r"<\w+:[^<>]*>"
_JOIN_MARK, _COMMA = "$$", ", "
_PROMPT_ARRAY = re.compile(r"\[\[([^\[\]]*)\]\]")


def find_list_mentions(text: str, lists: Collection[str] = ()) -> tuple[str, ...]:
    """List the names that a prompt draws from, each once, in order; see `draw_wildcards`."""
    matches = _mention_pattern(_whole_signs(lists)).finditer(text)
    return tuple(dict.fromkeys(match["mention"] for match in matches if match["mention"]))


@lru_cache(maxsize=8)
def _mention_pattern(whole_signs: str) -> re.Pattern[str]:
    return re.compile(rf"{whole_signs}|{MENTION_PATTERN.pattern}")


@lru_cache(maxsize=8)
def _brace_pattern(whole_signs: str) -> re.Pattern[str]:
    return re.compile(rf"\\.|{whole_signs}|[{{}}\[\]|]", re.DOTALL)


def draw_wildcards(
    text: str, seed: int, lists: Mapping[str, Sequence[str]], *, index: int | None = None
) -> str:
    """Replace every choice of a prompt by what the seed draws.

    `{a|b}` becomes one of its parts, `{3::a|b}` the first three times as often, `{2$$a|b|c}` two
    different ones in drawn order, joined by ", " (`{2$$ and $$…}` by " and ", `{1-2$$…}`, `{2-$$…}`
    and `{-2$$…}` draw how many, too; of a single list, so many of its lines), `__name__` a line of
    the list of that name; with `index` the line of that number instead, counted round. All nest. A
    name without a list stands for the bare word, as does one deeper than 64 lists. Braces without
    "|" stay text, and so does what stands in a tag (`<lora:my__cool__style:1>`) or in one of the
    names that `lists.reserved_names` holds, where there are such.
    The same text, seed and lists always give the same prompt.
    """
    wildcard_draw = _WildcardDraw(Random(seed), lists, index, _whole_signs(lists))
    for _ in range(MAX_LIST_DEPTH):
        drawn_text = wildcard_draw.draw_once(text)
        if drawn_text == text or len(drawn_text) > MAX_PROMPT_CHARACTERS:
            break
        text = drawn_text
    return wildcard_draw.replace_mentions(text, lambda match: match["mention"])


def _whole_signs(lists: Mapping[str, Sequence[str]] | Collection[str]) -> str:
    """Match what is one sign, whatever stands inside it: tags, and names with marks in them."""
    names = sorted(getattr(lists, "reserved_names", ()), key=len, reverse=True)
    return "|".join((_TAG, *(rf"(?i:(?<!\w){re.escape(name)}(?!\w))" for name in names)))


@dataclass(frozen=True)
class _WildcardDraw:
    random: Random
    lists: Mapping[str, Sequence[str]]
    index: int | None
    whole_signs: str

    def draw_once(self, text: str) -> str:
        """Draw the outermost braces, then one level of names."""
        parts: list[str] = []
        position = 0
        for start, end, choices in _find_braces(text, self.whole_signs):
            parts += [text[position:start], self._draw_choice(choices)]
            position = end
        return self.replace_mentions("".join([*parts, text[position:]]), self._draw_line)

    def replace_mentions(self, text: str, replace: Callable[[re.Match[str]], str]) -> str:
        """Replace each list's mention that stands in no tag and no name."""
        return _mention_pattern(self.whole_signs).sub(
            lambda match: replace(match) if match["mention"] else match[0], text
        )

    def _draw_choice(self, choices: Sequence[str]) -> str:
        match = _CHOICE_COUNT.match(choices[0])
        if match is None:
            weights, texts = _split_weights(choices)
            return self.random.choices(texts, weights)[0] if weights else self.random.choice(texts)
        first = choices[0][match.end() :]
        joint, mark, rest = first.partition(_JOIN_MARK)
        options = [rest if mark else first, *choices[1:]]
        mention = MENTION_PATTERN.fullmatch(options[0].strip()) if len(options) == 1 else None
        if mention is not None:
            options = list(self.lists.get(mention["mention"]) or options)
        low = int(match["low"] or 0)
        high = int(match["high"] or (len(options) if match["open"] else low))
        count = min(self.random.randint(min(low, high), max(low, high)), len(options))
        return (joint if mark else _COMMA).join(self._draw_options(options, count))

    def _draw_options(self, options: Sequence[str], count: int) -> list[str]:
        """Draw so many different options, each as likely as the weight before it says."""
        weights, texts = _split_weights(options)
        if weights is None:
            return self.random.sample(texts, count)
        drawn_texts: list[str] = []
        for _ in range(min(count, sum(weight > 0 for weight in weights))):
            (position,) = self.random.choices(range(len(texts)), weights)
            drawn_texts.append(texts[position])
            weights[position] = 0.0
        return drawn_texts

    def _draw_line(self, match: re.Match[str]) -> str:
        lines = self.lists.get(match["mention"])
        if not lines:
            return match["mention"]
        return (
            lines[self.index % len(lines)] if self.index is not None else self.random.choice(lines)
        )


def _split_weights(options: Sequence[str]) -> tuple[list[float] | None, list[str]]:
    """Part options from the weights before them; no weights where all are as likely."""
    matches = [_CHOICE_WEIGHT.match(option) for option in options]
    if not any(matches):
        return None, list(options)
    texts = [
        option if match is None else option[match.end() :]
        for option, match in zip(options, matches, strict=True)
    ]
    weights = [1.0 if match is None else min(float(match[1]), 1e9) for match in matches]
    return (weights if any(weights) else None), texts


@dataclass
class _OpenBrace:
    """A brace not yet closed."""

    start: int
    bars: list[int]
    square: int = 0  # brackets open inside it: their bars alternate per step and choose nothing


def _find_braces(text: str, whole_signs: str) -> list[tuple[int, int, list[str]]]:
    """Find the outermost braces that offer a choice: start, end, and what lies between the bars."""
    braces: list[tuple[int, int, list[str]]] = []
    stack: list[_OpenBrace] = []
    for match in _brace_pattern(whole_signs).finditer(text):
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
