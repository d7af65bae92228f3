"""The corpus: files with what must come of each.

`PICTURE` stands for an answer with pixels, a type of refusal for words. Where decoders of another
release may judge otherwise, either is right (`EITHER`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from bot.errors import ImageRejected
from bot.uploads.validation import ImageLimits

LIMITS = ImageLimits(max_bytes=25 << 20, max_pixels=32_000_000)
"""Easel's own defaults."""

Expected = type[ImageRejected] | None
IMAGE: Expected = None
EITHER = ImageRejected

CORPUS: dict[str, tuple[Callable[[], bytes], Expected]] = {}


def enter(name: str, expected: Expected, build: Callable[[], bytes]) -> None:
    """Enter a file's builder in the corpus."""
    assert name not in CORPUS
    CORPUS[name] = (functools.cache(build), expected)
