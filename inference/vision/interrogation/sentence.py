"""A caption and its matches become one line of text."""

from __future__ import annotations

from collections.abc import Sequence

from inference.vision.interrogation.ranking.matches import PhraseMatch

#: Stands in the answer where the rankings failed; the caption before it is good.
ERROR_MARK = "<error>"


def format_caption(
    caption: str | None, matches: Sequence[PhraseMatch], *, show_ranks: bool = False
) -> str:
    """Write `caption, match, match`, or with ranks `caption, (match:0.123), (match:0.071)`.

    Without a caption the first match, the likeliest subject, stands for it. A match that the text
    already says would only weigh it twice in a prompt: it is left out unless ranks are shown.
    """
    parts: list[str] = []
    if caption:
        parts.append(caption)
    elif matches and not show_ranks:
        parts.append(matches[0].phrase)
    for match in matches:
        if show_ranks:
            parts.append(f"({match.phrase}:{match.probability:.3f})")
        elif not _contains_phrase(", ".join(parts), match.phrase):
            parts.append(match.phrase)
    return ", ".join(parts)


def _contains_phrase(text: str, phrase: str) -> bool:
    """Tell whether a text holds a phrase as whole words, whatever the case."""
    return f" {_normalise_text(phrase)} " in f" {_normalise_text(text)} "


def _normalise_text(text: str) -> str:
    return " ".join(text.lower().replace(",", " ").split())
