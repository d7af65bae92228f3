"""Patterns that admins write, run by RE2: in time that grows with the text and never explodes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

MAX_MEMORY = 1 << 20  # bytes of one pattern's machine
KNOWN = 1024  # compiled patterns kept


class PatternError(ValueError):
    """A pattern cannot be read; the words say where."""


@lru_cache(maxsize=KNOWN)
def compiled(pattern: str) -> Any:
    """Compile a pattern, which upper and lower case do not matter to.

    Raises:
        PatternError: it is no pattern, or needs what RE2 leaves out to stay fast.
    """
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else b""
        words = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise PatternError(words) from error


def found(pattern: str, text: str) -> str | None:
    """Return the first part of a text that a pattern fits, or None."""
    match = compiled(pattern).search(text)
    return None if match is None else str(match[0])
