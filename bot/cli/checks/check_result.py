"""What a check found, and how it is said."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CheckResult:
    """One thing looked at."""

    subject: str
    words: str
    #: What to do about it; empty when all is well.
    fix: str = ""
