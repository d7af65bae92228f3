"""Schedules: which text a prompt stands for at each step.

    prompt    = (bracket | text | stray)*
    bracket   = "(" inner [":" inner] ")" | "[" inner "]" | change | turns
    change    = "[" [inner ":"] inner ":" when "]"
    turns     = "[" inner ("|" inner)+ "]"
    inner     = (bracket | text)*
    text      = what is neither a bracket, ":" nor "|"; a backslash takes the next sign along
    stray     = a bracket or ":" that belongs to no bracket above

A "|" outside turns is the one error: such a prompt stands for itself, letter for letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

_SCHEDULE_TOKEN = re.compile(r"(?:\\.|[^\\\[\]():|])+|[\[\]():|\\]", re.DOTALL)
_WHEN_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*")


@dataclass(frozen=True)
class ScheduleEntry:
    """A text that holds up to and including network call `step`, counted from 0.

    The field counts so: a text “until step 5” rules six calls.
    """

    step: int
    text: str


@dataclass(frozen=True)
class _Edit:
    before: list[_Item]
    after: list[_Item]
    when: str


@dataclass(frozen=True)
class _Alternation:
    slots: list[list[_Item]]


_Item = str | _Edit | _Alternation


class _NoScheduleError(Exception):
    """The prompt is no schedule and stands for itself."""


@dataclass
class _OpenBracket:
    """A bracket still open: its parts, and the separators between them."""

    opening: str = ""
    parts: list[list[_Item]] = field(default_factory=lambda: [[]])
    separators: str = ""

    def add_items(self, *items: _Item) -> None:
        self.parts[-1].extend(items)

    def add_separator(self, sign: str) -> None:
        self.separators += sign
        self.parts.append([])

    def literal_items(self) -> Iterator[_Item]:
        """Give the frame back as text around what was understood inside it."""
        yield self.opening
        for sign, part in zip(("", *self.separators), self.parts, strict=True):
            yield from (sign, *part)


def expand_schedule(
    text: str, steps: int, *, base_steps: int | None = None
) -> tuple[ScheduleEntry, ...]:
    """Say which text holds until which network call; the last entry ends at `steps`.

    `[from:to:when]` changes after call `when`, counted from 0, `[to:when]` adds, `[from::when]`
    takes away, `[a|b|…]` takes turns; the first text of all has call 0 besides its own. `when` with
    a decimal point is a share of the steps.
    For the second pass of a hires fix give its own `steps` and the first pass's as `base_steps`:
    whole numbers then count on from the first pass, and shares between 1 and 2 belong to the
    second. What cannot be read as a schedule stands for itself.
    """
    try:
        items = _parse_items(text)
    except _NoScheduleError:
        return (ScheduleEntry(steps, text),)
    ends = {step for step in _entry_ends(items, steps, base_steps) if 1 <= step <= steps} | {steps}
    return tuple(
        ScheduleEntry(end, _render_step(items, end, steps, base_steps)) for end in sorted(ends)
    )


@dataclass(frozen=True)
class ScheduleSummary:
    """What a prompt says of its schedule: each change's `when`, with the step it comes to."""

    changes: tuple[tuple[str, int], ...] = ()
    takes_turns: bool = False
    readable: bool = True


def describe_schedule(text: str, steps: int, *, base_steps: int | None = None) -> ScheduleSummary:
    """Say what `expand_schedule` makes of a prompt: changes at 0 and from `steps` − 1 show not."""
    try:
        items = list(_walk_items(_parse_items(text)))
    except _NoScheduleError:
        return ScheduleSummary(readable=False)
    changes = (item.when for item in items if isinstance(item, _Edit))
    return ScheduleSummary(
        tuple((when, _change_step(when, steps, base_steps)) for when in changes),
        any(isinstance(item, _Alternation) for item in items),
    )


def text_at(entries: tuple[ScheduleEntry, ...], step: int) -> str:
    """Look up the text of a call, counted from 0; beyond the end the last one holds."""
    return next((entry.text for entry in entries if step <= entry.step), entries[-1].text)


def _parse_items(text: str) -> list[_Item]:
    stack = [_OpenBracket()]
    for match in _SCHEDULE_TOKEN.finditer(text):
        _read_token(stack, match[0])
    _flatten_brackets(stack)
    return stack[0].parts[0]


def _read_token(stack: list[_OpenBracket], sign: str) -> None:
    top = stack[-1]
    if sign in ("(", "["):
        stack.append(_OpenBracket(sign))
    elif sign in (")", "]"):
        _close_bracket(stack, sign)
    elif sign == "|" and top.opening != "[":
        raise _NoScheduleError
    elif sign in (":", "|") and top.opening:
        top.add_separator(sign)
    else:
        top.add_items(sign)


def _close_bracket(stack: list[_OpenBracket], sign: str) -> None:
    frame = stack[-1]
    items = _interpret_bracket(frame, sign)
    if items is None:
        # A bracket that is none makes every bracket around it none; the good ones inside stay.
        _flatten_brackets(stack)
        stack[0].add_items(sign)
    else:
        stack.pop()
        stack[-1].add_items(*items)


def _interpret_bracket(frame: _OpenBracket, sign: str) -> list[_Item] | None:
    """Understand a bracket, or give None where its form is none of the grammar's."""
    kind, parts = frame.opening + sign, frame.parts
    if (kind == "()" and frame.separators in ("", ":")) or (kind == "[]" and len(parts) == 1):
        return _join_texts([*frame.literal_items(), sign])
    if kind == "[]" and set(frame.separators) == {"|"}:
        return [_Alternation(parts)]
    if kind == "[]" and frame.separators in (":", "::"):
        when = _parse_when(parts[-1])
        old_items = parts[0] if len(parts) == 3 else []
        return None if when is None else [_Edit(old_items, parts[-2], when)]
    return None


def _join_texts(items: list[_Item]) -> list[_Item]:
    """Join neighbouring texts, which keeps deep brackets cheap to close."""
    merged_items: list[_Item] = []
    for is_text, run in groupby(items, lambda item: isinstance(item, str)):
        part = list(run)
        merged_items += ["".join(map(str, part))] if is_text else part
    return merged_items


def _parse_when(part: list[_Item]) -> str | None:
    if not all(isinstance(item, str) for item in part):
        return None
    match = _WHEN_NUMBER.fullmatch("".join(str(item) for item in part))
    return None if match is None else match[1]


def _flatten_brackets(stack: list[_OpenBracket]) -> None:
    """Turn every bracket still open into text."""
    for frame in stack[1:]:
        if "|" in frame.separators:
            raise _NoScheduleError
        stack[0].add_items(*frame.literal_items())
    del stack[1:]


def _change_step(when: str, steps: int, base_steps: int | None) -> int:
    """Turn a `when` into the last step of what stood before it."""
    if "." in when:
        share = float(when) - (0 if base_steps is None else 1)
        exact = share * steps
    else:
        exact = float(when) - (base_steps or 0)
    return int(max(0, min(steps, exact)))


def _entry_ends(items: list[_Item], steps: int, base_steps: int | None) -> Iterator[int]:
    for item in _walk_items(items):
        if isinstance(item, _Edit):
            yield _change_step(item.when, steps, base_steps)
        elif isinstance(item, _Alternation):
            yield from range(1, steps + 1)


def _walk_items(items: list[_Item]) -> Iterator[_Item]:
    """Walk over all items, from the left, those inside changes and turns too."""
    waiting = items[::-1]
    while waiting:
        item = waiting.pop()
        yield item
        if isinstance(item, _Edit):
            waiting += (item.before + item.after)[::-1]
        elif isinstance(item, _Alternation):
            waiting += [part for slot in item.slots for part in slot][::-1]


def _render_step(items: list[_Item], step: int, steps: int, base_steps: int | None) -> str:
    """Spell out the text of one step; a loop, since brackets nest deeper than calls may."""
    texts: list[str] = []
    waiting = items[::-1]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            texts.append(item)
        elif isinstance(item, _Alternation):
            waiting += item.slots[(step - 1) % len(item.slots)][::-1]
        else:
            early = step <= _change_step(item.when, steps, base_steps)
            waiting += (item.before if early else item.after)[::-1]
    return "".join(texts)
