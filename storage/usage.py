"""What members used of the GPU within the last day, server by server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from storage.clock import from_microseconds, to_microseconds
from storage.database import Database

SELECT_GPU_USE = """
    SELECT at, seconds FROM gpu_use
     WHERE guild = ? AND owner = ? AND at > ? ORDER BY at
"""


@dataclass(frozen=True)
class GpuUse:
    """What one job used."""

    #: When the job ended.
    at: datetime
    #: Seconds of the GPU, as the worker measured them.
    seconds: float


class UsageStore:
    """Reads what the schema's own trigger notes whenever a job of a server is done."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def usage_since(self, moment: datetime, guild: str, owner: str) -> list[GpuUse]:
        """Return what the member's jobs on that server used after `moment`, oldest first.

        No more than a day is kept.
        """
        rows = await self._database.fetch_all(
            SELECT_GPU_USE, (guild, owner, to_microseconds(moment))
        )
        return [GpuUse(from_microseconds(row["at"]), row["seconds"]) for row in rows]
