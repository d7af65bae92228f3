"""What a server's members have under way, and what one of them has used of the GPU."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from storage.clock import ONE_MICROSECOND, from_microseconds
from storage.database import Database, SqlExecutor
from storage.guilds import GpuUse

#: For how long a used second counts; the schema keeps it no longer.
QUOTA_WINDOW = timedelta(hours=24)

# Of a job whose turn has come, only what runs beside it.
SELECT_GUILD_LOAD = """
    WITH active AS (
      SELECT id, owner, forecast_seconds, spent_seconds
        FROM job WHERE state = 'queued' AND guild = :guild AND :claimed IS NULL
       UNION ALL
      SELECT id, owner, forecast_seconds, spent_seconds
        FROM job WHERE state = 'running' AND guild = :guild AND id IS NOT :claimed),
    own AS (SELECT * FROM active WHERE owner = :owner)
    SELECT (SELECT count(*) FROM active) AS guild_jobs,
           (SELECT count(*) FROM own) AS owner_jobs,
           (SELECT total(max(coalesce(forecast_seconds, 0), coalesce(spent_seconds, 0)))
              FROM own) AS seconds,
           (SELECT count(*) FROM own WHERE forecast_seconds IS NULL) AS unforeseen,
           (SELECT json_group_array(json_array(at, seconds))
              FROM (SELECT at, seconds FROM gpu_use
                     WHERE guild = :guild AND owner = :owner AND at > :since ORDER BY at)) AS uses
"""


@dataclass(frozen=True, kw_only=True)
class GuildLoad:
    """What bounds of a server are held against."""

    #: Jobs of the server that wait or run.
    guild_jobs: int
    #: Those of the member.
    owner_jobs: int
    #: GPU-seconds that the member's are thought to take; infinite where one cannot be foretold.
    expected_seconds: float
    #: What the member used within the last day, oldest first.
    uses: tuple[GpuUse, ...]


#: Refuses, by raising, a job that is too much beside what there is.
LoadCheck = Callable[[GuildLoad], None]


async def read_guild_load(
    queries: SqlExecutor | Database,
    guild: str,
    owner: str,
    now_microseconds: int,
    claimed_id: str | None = None,
) -> GuildLoad:
    """Read a server's load; for a job whose turn has come, what runs beside it and was foretold."""
    since = now_microseconds - QUOTA_WINDOW // ONE_MICROSECOND
    values = {"guild": guild, "owner": owner, "claimed": claimed_id, "since": since}
    (row,) = await queries.fetch_all(SELECT_GUILD_LOAD, values)
    is_unforeseen = claimed_id is None and row["unforeseen"] > 0
    return GuildLoad(
        guild_jobs=row["guild_jobs"],
        owner_jobs=row["owner_jobs"],
        expected_seconds=math.inf if is_unforeseen else row["seconds"],
        uses=tuple(
            GpuUse(from_microseconds(at), seconds) for at, seconds in json.loads(row["uses"])
        ),
    )
