"""A hint for a name that is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from inference.api.notices import Notice


def did_you_mean(name: str, known_names: Iterable[str], cutoff: float = 0.5) -> Notice | None:
    """Ask for the known names most like this one in any case; None where none is like it."""
    names_by_lower = {known_name.lower(): known_name for known_name in known_names}
    close = difflib.get_close_matches(name.lower(), names_by_lower, n=3, cutoff=cutoff)
    names = " or ".join(names_by_lower[name] for name in close)
    return Notice("names.did_you_mean", names=names) if close else None


def suggest_names(name: str, known_names: Iterable[str]) -> Notice:
    """Ask for the known names most like this one, or say which there are."""
    names = list(known_names)
    everything = Notice("names.all", names=", ".join(names)) if names else Notice("names.none")
    return did_you_mean(name, names) or everything
