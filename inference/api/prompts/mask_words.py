"""What a mask in words names to be found in the picture: a network reads it as it reads prompts."""

from __future__ import annotations

import re

QUOTED_WORDS_PATTERN = re.compile(r"[\"“”„«»]\s*([^\"“”„«»]+?)\s*[\"“”„«»]")


def find_quoted_words(text: str) -> tuple[str, ...]:
    """List what stands in quotation marks, in small letters."""
    return tuple(match[1].lower() for match in QUOTED_WORDS_PATTERN.finditer(text))
