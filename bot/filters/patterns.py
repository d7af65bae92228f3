"""Patterns that admins write, run by RE2 in linear time."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

MAX_PATTERN_BYTES = 1 << 20  # bytes of one pattern's machine
MAX_CACHED_PATTERNS = 1024  # compiled patterns kept


class PatternError(ValueError):
    """A pattern cannot be read; the words say where."""


@lru_cache(maxsize=MAX_CACHED_PATTERNS)
def compile_pattern(pattern: str) -> Any:
    """Compile a pattern, which upper and lower case do not matter to.

    Raises:
        PatternError: it is no pattern, or needs what RE2 leaves out to stay fast.
    """
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = MAX_PATTERN_BYTES
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else b""
        words = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise PatternError(words) from error


def find_match(pattern: str, text: str) -> str | None:
    """Return the first part of a text that a pattern fits, or None."""
    match = compile_pattern(pattern).search(text)
    return None if match is None else str(match[0])
