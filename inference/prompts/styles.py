"""Styles: named pieces of prompt that wrap around what a member writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SLOT = "{prompt}"


@dataclass(frozen=True)
class Style:
    """A named pair of texts; `{prompt}` in one is where the member's own words go."""

    name: str
    prompt: str = ""
    negative: str = ""


def apply_styles(prompt: str, negative: str, styles: Iterable[Style]) -> tuple[str, str]:
    """Put both prompts through the styles, one after another.

    A style's text with the slot takes the prompt in; one without is appended after ", ".
    """
    for style in styles:
        prompt, negative = _apply(prompt, style.prompt), _apply(negative, style.negative)
    return prompt, negative


def _apply(prompt: str, style: str) -> str:
    if SLOT in style:
        return style.replace(SLOT, prompt)
    return ", ".join(part for part in (prompt.strip(), style.strip()) if part)


def extract_styles(
    prompt: str, negative: str, styles: Sequence[Style]
) -> tuple[str, str, tuple[Style, ...]]:
    """Find which styles a pair of prompts went through, and what was written before them.

    A style counts only where both its texts match. Each is found at most once, the outermost
    first; the result names them in the order in which they apply.
    """
    found: list[Style] = []
    left = [style for style in styles if style.prompt.strip() or style.negative.strip()]
    while match := _outermost(prompt, negative, left):
        style, prompt, negative = match
        found.insert(0, style)
        left.remove(style)
    return prompt, negative, tuple(found)


def _outermost(
    prompt: str, negative: str, styles: Iterable[Style]
) -> tuple[Style, str, str] | None:
    for style in styles:
        inner, inner_negative = _undo(prompt, style.prompt), _undo(negative, style.negative)
        if inner is not None and inner_negative is not None:
            return style, inner, inner_negative
    return None


def _undo(text: str, style: str) -> str | None:
    """Take a style's text off, or give None where it is not there."""
    style, text = style.strip(), text.strip()
    if SLOT in style:
        before, _, after = style.partition(SLOT)
        fits = len(text) >= len(before + after) and SLOT not in after
        if not (fits and text.startswith(before) and text.endswith(after)):
            return None
        return text[len(before) : len(text) - len(after)]
    if text == style or not style:
        return text.removesuffix(style)
    suffix = ", " + style
    return text.removesuffix(suffix) if text.endswith(suffix) else None
