"""What delivery asks before it shows a picture."""

from __future__ import annotations

from typing import Protocol

from storage.moderation import Screening, Verdict
from storage.records import JobRecord

CLEAN = Screening(verdict=Verdict.CLEAN)


class Viewer(Protocol):
    """Who decides what may be shown of a result."""

    async def look(self, record: JobRecord) -> Screening:
        """Decide, or remember what was decided."""
        ...


class Unscreened:
    """The viewer of those who show everything."""

    async def look(self, record: JobRecord) -> Screening:
        """Let all of it be shown."""
        return CLEAN
