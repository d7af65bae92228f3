"""What delivery asks before it shows a picture."""

from __future__ import annotations

from typing import Protocol

from storage.moderation import ScreeningRecord, Verdict
from storage.records import JobRecord

CLEAN_SCREENING = ScreeningRecord(verdict=Verdict.CLEAN)


class ResultScreener(Protocol):
    """Who decides what may be shown of a result."""

    async def screen(self, record: JobRecord) -> ScreeningRecord:
        """Decide, or remember what was decided."""
        ...


class NoScreening:
    """The viewer of those who show everything."""

    async def screen(self, record: JobRecord) -> ScreeningRecord:
        """Let all of it be shown."""
        return CLEAN_SCREENING
