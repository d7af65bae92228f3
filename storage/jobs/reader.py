"""Read-only queries over jobs."""

from __future__ import annotations

import json
from collections.abc import Collection

from storage.clock import ONE_MICROSECOND
from storage.errors import UnknownJob
from storage.jobs.base import JobTable
from storage.jobs.guild_load import GuildLoad, read_guild_load
from storage.records import JobRecord, JobState, QueuePlace, QueueWait

SELECT_OUTSTANDING = """
    SELECT * FROM job WHERE state = 'queued'
    UNION ALL
    SELECT * FROM job WHERE state = 'running'
    ORDER BY id
"""

SELECT_BY_OWNER = """
    SELECT * FROM job
     WHERE owner = :owner AND id < :before
       AND state IN (SELECT value FROM json_each(:states))
     ORDER BY id DESC LIMIT :limit
"""

# A result has pictures where the list of that name in it has any.
_PICTURED_TEMPLATE = """
    SELECT {columns} FROM job
     WHERE owner = :owner AND state = 'done'
       AND kind NOT IN (SELECT value FROM json_each(:hidden_kinds))
       AND json_array_length(result, '$.pictures') > 0
"""
_PAGE_TEMPLATE = (
    _PICTURED_TEMPLATE.format(columns="*") + "ORDER BY {order} LIMIT :limit OFFSET :offset"
)
SELECT_PICTURED = _PAGE_TEMPLATE.format(order="id DESC")
SELECT_STARRED_FIRST = _PAGE_TEMPLATE.format(
    order="EXISTS (SELECT * FROM star WHERE job = id) DESC, id DESC"
)
COUNT_PICTURED = _PICTURED_TEMPLATE.format(columns="count(*)")
SELECT_STARRED = """
    SELECT job FROM star WHERE job IN (SELECT value FROM json_each(:ids))
"""

# From a job up to the first that it goes back to, and from there down to all that came of it.
SELECT_LINEAGE = """
    WITH RECURSIVE
      up(id, parent) AS (
        SELECT id, parent FROM job WHERE id = :id AND owner = :owner
         UNION
        SELECT job.id, job.parent FROM up JOIN job ON job.id = up.parent
         WHERE job.owner = :owner),
      family(id) AS (
        SELECT min(id) FROM up
         UNION
        SELECT job.id FROM family JOIN job ON job.parent = family.id
         WHERE job.owner = :owner AND job.parent IS NOT NULL)
    SELECT job.* FROM family JOIN job USING (id) ORDER BY id LIMIT :limit
"""

# A job is served when the queue's virtual time reaches its owner's own plus what the owner's
# earlier jobs will be charged; the order of those moments is the order of service. A member's
# `origin` turns `ahead`, which counts from somewhere in the member's own line, into that moment.
# Running jobs take turns with those that come after: each holds them up by no more than what is
# ahead and their own.
SELECT_QUEUE_POSITION = """
    WITH line AS (
      SELECT owner, since,
             vtime - (SELECT ahead FROM job WHERE state = 'queued' AND owner = member.owner
                       ORDER BY priority DESC, id LIMIT 1) AS origin
        FROM member INDEXED BY member_waiting WHERE queued > 0),
    mine AS (
      SELECT job.owner, job.priority, job.id, line.since, line.origin + job.ahead AS start
        FROM job JOIN line USING (owner) WHERE job.id = :id AND job.state = 'queued'),
    remaining AS (
      SELECT id, cost * part AS cost, forecast_seconds * part AS seconds
        FROM (SELECT id, cost, forecast_seconds,
                     CASE WHEN steps > 0 THEN 1 - min(step, steps) * 1.0 / steps ELSE 1 END AS part
                FROM job WHERE state = 'running')),
    place AS (
      SELECT count(job.id) + EXISTS (SELECT * FROM mine) AS position,
             total(CASE WHEN job.forecast_seconds IS NULL THEN job.cost END) AS ahead_cost,
             total(job.forecast_seconds) AS ahead_seconds,
             count(CASE WHEN line.owner = mine.owner THEN 1 END) AS own_jobs_ahead
        FROM mine CROSS JOIN line CROSS JOIN job INDEXED BY job_queued
          ON job.state = 'queued' AND job.owner = line.owner
       WHERE CASE WHEN line.owner = mine.owner
                  THEN (-job.priority, job.id) < (-mine.priority, mine.id)
                  ELSE (line.origin + job.ahead, line.since) < (mine.start, mine.since) END),
    bound AS (
      SELECT place.ahead_seconds + coalesce(
               (SELECT seconds FROM remaining WHERE id = :id),
               (SELECT forecast_seconds FROM job WHERE id = :id), 1e300) AS seconds
        FROM place)
    SELECT place.*,
           (SELECT total(CASE WHEN seconds IS NULL THEN cost END) FROM remaining) AS running_cost,
           (SELECT total(min(remaining.seconds, bound.seconds)) FROM remaining, bound)
             AS running_seconds,
           (SELECT CAST(total(queued) AS INTEGER)
              FROM member INDEXED BY member_waiting WHERE queued > 0) AS queued,
           (SELECT count(*) FROM remaining) AS running
      FROM place
"""

COUNT_ACTIVE_JOBS = """
    SELECT 'queued' AS state, total(queued) AS jobs
      FROM member INDEXED BY member_waiting WHERE queued > 0
    UNION ALL
    SELECT 'running', count(*) FROM job WHERE state = 'running'
"""

SELECT_QUEUE_WAIT = """
    SELECT count(*) AS jobs, min(created_at) AS oldest, total(forecast_seconds) AS work_seconds
      FROM job WHERE state = 'queued'
"""

COUNT_ENDED_JOBS = "SELECT state, jobs FROM tally"

SELECT_RECENTLY_FINISHED = """
    SELECT * FROM job
     WHERE finished_at IS NOT NULL AND state = 'done' ORDER BY finished_at DESC LIMIT ?
"""

SELECT_FIRST_WAITING = """
    SELECT id FROM job
     WHERE state = 'queued'
       AND owner = coalesce(
         :owner, (SELECT owner FROM member WHERE queued > 0 ORDER BY vtime, since LIMIT 1))
     ORDER BY priority DESC, id LIMIT 1
"""


class JobReader(JobTable):
    """Read-only queries over jobs."""

    async def get_job(self, id: str) -> JobRecord:
        """Return the job.

        Raises:
            UnknownJob: there is none of that id.
        """
        record = await self._fetch_record("SELECT * FROM job WHERE id = ?", (id,))
        if record is None:
            raise UnknownJob(id)
        return record

    async def list_by_owner(
        self,
        owner: str,
        *,
        states: Collection[JobState] = tuple(JobState),
        limit: int = 25,
        before_id: str | None = None,
    ) -> list[JobRecord]:
        """Return the owner's jobs in these states, newest first, older than the id `before`."""
        values = {
            "owner": owner,
            "states": json.dumps(list(states)),
            "before": before_id or "~",  # sorts after every id
            "limit": limit,
        }
        return await self._fetch_records(SELECT_BY_OWNER, values)

    async def list_pictured(
        self,
        owner: str,
        *,
        offset: int,
        limit: int,
        hidden_kinds: Collection[str] = (),
        starred_first: bool = False,
    ) -> list[JobRecord]:
        """Return the owner's jobs whose results have pictures, newest first, from `offset` on."""
        values = {"owner": owner, "offset": offset, "limit": limit}
        sql = SELECT_STARRED_FIRST if starred_first else SELECT_PICTURED
        return await self._fetch_records(
            sql, {**values, "hidden_kinds": json.dumps(list(hidden_kinds))}
        )

    async def list_starred(self, ids: Collection[str]) -> set[str]:
        """Return which of these jobs have a star."""
        rows = await self._database.fetch_all(SELECT_STARRED, {"ids": json.dumps(list(ids))})
        return {row["job"] for row in rows}

    async def count_pictured(self, owner: str, hidden_kinds: Collection[str] = ()) -> int:
        """Return how many jobs `list_pictured` has in all."""
        values = {"owner": owner, "hidden_kinds": json.dumps(list(hidden_kinds))}
        return int(await self._database.fetch_value(COUNT_PICTURED, values))

    async def list_lineage(self, id: str, owner: str, limit: int = 100) -> list[JobRecord]:
        """Return the owner's jobs that one goes back to and that came of them, oldest first."""
        return await self._fetch_records(SELECT_LINEAGE, {"id": id, "owner": owner, "limit": limit})

    async def recently_finished(self, limit: int) -> list[JobRecord]:
        """Return the jobs that were done last, newest first."""
        return await self._fetch_records(SELECT_RECENTLY_FINISHED, (limit,))

    async def first_waiting(self, owner: str | None = None) -> str | None:
        """Return the id of the owner's waiting job that is served first, or of all; None: none."""
        job_id: str | None = await self._database.fetch_value(
            SELECT_FIRST_WAITING, {"owner": owner}
        )
        return job_id

    async def list_outstanding(self) -> list[JobRecord]:
        """Return all queued and running jobs, oldest first."""
        return await self._fetch_records(SELECT_OUTSTANDING)

    async def guild_load(self, guild: str, owner: str, claimed_id: str | None = None) -> GuildLoad:
        """Return what a server has under way and what the member used of the GPU in a day.

        For a job of `claimed_id`, only what runs beside it counts.
        """
        return await read_guild_load(
            self._database, guild, owner, self._now_microseconds(), claimed_id
        )

    async def count_by_state(self) -> dict[JobState, int]:
        """Return how many jobs there are in each state."""
        async with self._database.transaction() as transaction:
            rows = await transaction.fetch_all(COUNT_ACTIVE_JOBS) + await transaction.fetch_all(
                COUNT_ENDED_JOBS
            )
        jobs_by_state = {JobState(row["state"]): int(row["jobs"]) for row in rows}
        return {state: jobs_by_state[state] for state in JobState}

    async def queue_wait(self) -> QueueWait:
        """Return how many jobs wait, since when the oldest does, and how much work they are."""
        (row,) = await self._database.fetch_all(SELECT_QUEUE_WAIT)
        oldest = row["oldest"]
        elapsed = 0 if oldest is None else max(0, self._now_microseconds() - oldest)
        return QueueWait(
            jobs=row["jobs"],
            longest=elapsed * ONE_MICROSECOND,
            work_seconds=row["work_seconds"],
        )

    async def queue_position(self, id: str) -> QueuePlace:
        """Return where the job stands in the order of service, as the queue is now."""
        (row,) = await self._database.fetch_all(SELECT_QUEUE_POSITION, {"id": id})
        return QueuePlace(**dict(row))
