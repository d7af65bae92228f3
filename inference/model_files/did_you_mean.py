"""A hint for a name that is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known_names: Iterable[str]) -> str:
    """Ask for the known names most like this one; empty where none is like it."""
    close = difflib.get_close_matches(name, list(known_names), n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(close)}?" if close else ""
