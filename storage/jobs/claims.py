"""Which job comes next: claims by fair share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Collection
from datetime import timedelta

from storage.cancellation import finish_even_if_cancelled
from storage.jobs.attempts import JobAttempts
from storage.jobs.base import lease_microseconds, sorted_by_id
from storage.records import JobRecord, QuarantineTurn

COUNT_CLAIMABLE = "SELECT count(*) FROM (SELECT 1 FROM job WHERE state = 'queued' LIMIT :max_jobs)"

_CLAIM_TEMPLATE = """
    UPDATE job
       SET state = 'running', attempt = attempt + 1, worker = :worker, lease_until = :until,
           lease_length = :length, started_at = :now, step = 0, steps = NULL, spent = NULL,
           spent_seconds = NULL, charged = cost
     WHERE {condition}
    RETURNING *
"""

FIRST_WAITING = """
       SELECT id FROM job
        WHERE state = 'queued'
          AND owner = (SELECT owner FROM member WHERE queued > 0 ORDER BY vtime, since LIMIT 1)
        ORDER BY priority DESC, id LIMIT 1
"""

# Past the jobs that must be tried apart, however lately that was found.
FIRST_UNSUSPECTED = """
       SELECT (SELECT id FROM job
                WHERE state = 'queued' AND owner = member.owner AND quarantine IS NULL
                ORDER BY priority DESC, id LIMIT 1) AS first
         FROM member
        WHERE queued > 0 AND first IS NOT NULL
        ORDER BY vtime, since LIMIT 1
"""

FIRST_BY_AFFINITY = """
       SELECT first.id FROM first JOIN job USING (id)
        WHERE first.vtime <= (SELECT min(vtime) FROM first) + :slack
        ORDER BY job.affinity IS NOT :affinity, first.vtime, first.since LIMIT 1
"""

FIRST_OF_MEMBERS = """
    WITH first AS (
      SELECT member.vtime, member.since,
             (SELECT id FROM job
               WHERE state = 'queued' AND owner = member.owner AND quarantine IS NULL
               ORDER BY priority DESC, id LIMIT 1) AS id
        FROM member
       WHERE queued > 0 AND id IS NOT NULL
       ORDER BY vtime, since LIMIT 16)
"""

# As above, past the jobs that are named.
SELECT_FIRST_OF_MEMBERS = """
    WITH first AS (
      SELECT member.vtime, member.since,
             (SELECT id FROM job
               WHERE state = 'queued' AND owner = member.owner
                 AND quarantine IS NULL
                 AND id NOT IN (SELECT value FROM json_each(:skipped))
               ORDER BY priority DESC, id LIMIT 1) AS first_id
        FROM member
       WHERE queued > 0 AND first_id IS NOT NULL
       ORDER BY vtime, since LIMIT 16)
    SELECT job.* FROM first JOIN job ON job.id = first.first_id
     WHERE first.vtime <= (SELECT min(vtime) FROM first) + :slack
     ORDER BY first.vtime, first.since
"""

SELECT_QUARANTINED = "SELECT * FROM job WHERE quarantine = ? AND state = 'queued'"

CLAIM_NEXT = _CLAIM_TEMPLATE.format(condition=f"id = ({FIRST_UNSUSPECTED})")
CLAIM_WITH_AFFINITY = FIRST_OF_MEMBERS + _CLAIM_TEMPLATE.format(
    condition=f"id = ({FIRST_BY_AFFINITY})"
)
CLAIM_JOB = _CLAIM_TEMPLATE.format(condition="id = :id AND state = 'queued' AND quarantine IS NULL")
CLAIM_QUARANTINE = _CLAIM_TEMPLATE.format(condition="quarantine = :group AND state = 'queued'")

_QUARANTINE_TURN_TEMPLATE = """
    SELECT CASE job.state WHEN 'queued' THEN job.quarantine END AS quarantine,
           job.id IS ({first_waiting}) AS is_next
      FROM job INDEXED BY job_quarantined JOIN member USING (owner)
     WHERE job.quarantine IS NOT NULL
     ORDER BY job.state <> 'queued', member.vtime, member.since, job.priority DESC, job.id
     LIMIT 1
"""
SELECT_QUARANTINE_TURN = _QUARANTINE_TURN_TEMPLATE.format(first_waiting=FIRST_WAITING)

SELECT_CLAIMED = """
    SELECT id, attempt, worker FROM job
     WHERE state = 'running' AND lease_until = :until AND worker = :worker AND started_at = :now
"""


class JobClaims(JobAttempts):
    """Give the jobs that wait to workers."""

    #: When the lease of the latest claim ends.
    _last_lease_end = 0

    async def claim(
        self,
        worker: str,
        lease: timedelta,
        *,
        affinity: str | None = None,
        slack: float = 0.0,
    ) -> JobRecord | None:
        """Give the next job to `worker` for the length of `lease`, or None when none waits.

        Next is the member with the smallest virtual time among those who wait, and then that
        member's first job by priority and arrival. With `slack` above 0, a job that shares
        `affinity` may be preferred among the members who are at most so much virtual time ahead:
        that much, and no more, a member may be kept waiting to spare a change of model. A job that
        must be tried apart is never given: its group is, by `claim_quarantine`.

        Cancelled while the claim is under way, it gives the job back as if never claimed.
        """
        records = await self.claim_several(worker, lease, 1, affinity=affinity, slack=slack)
        return records[0] if records else None

    async def claim_several(
        self,
        worker: str,
        lease: timedelta,
        max_jobs: int,
        *,
        affinity: str | None = None,
        slack: float = 0.0,
    ) -> list[JobRecord]:
        """Do `claim` up to `max_jobs` times, each by its own guarded statement, with one commit."""
        values = self._claim_values(worker, lease)
        return await self._claim_or_return(
            values, self._claim_jobs(values, max_jobs, affinity, slack)
        )

    async def list_first_waiting(
        self, slack: float, *, skipped_ids: Collection[str] = ()
    ) -> list[JobRecord]:
        """List the first waiting job of each of up to 16 members, in the order of fairness.

        They are those who are at most `slack` of virtual time behind the first one's turn: to claim
        any of these is as fair as `claim` with that slack. The jobs of `skipped_ids` cannot run
        now, and others must be tried apart: each member's next one counts, and none of them holds
        others up.
        """
        values = {"slack": slack, "skipped": json.dumps(list(skipped_ids))}
        return await self._fetch_records(SELECT_FIRST_OF_MEMBERS, values)

    async def claim_job(self, id: str, worker: str, lease: timedelta) -> JobRecord | None:
        """Do `claim` for one job, or None where it waits no more, or must be tried apart."""
        values = {**self._claim_values(worker, lease), "id": id}
        records = await self._claim_or_return(values, self._fetch_records(CLAIM_JOB, values))
        return records[0] if records else None

    async def list_quarantined(self, group: int) -> list[JobRecord]:
        """List the waiting jobs of a group that must be tried apart."""
        return await self._fetch_records(SELECT_QUARANTINED, (group,))

    async def claim_quarantine(self, worker: str, lease: timedelta, group: int) -> list[JobRecord]:
        """Give a worker that holds no other job a whole group that must be tried apart."""
        values = {**self._claim_values(worker, lease), "group": group}
        return sorted_by_id(
            await self._claim_or_return(values, self._fetch_records(CLAIM_QUARANTINE, values))
        )

    async def quarantine_turn(self) -> QuarantineTurn | None:
        """Return which group must be tried apart next; None where nothing is under suspicion."""
        row = await self._database.fetch_one(SELECT_QUARANTINE_TURN)
        if row is None:
            return None
        return QuarantineTurn(group=row["quarantine"], is_next=bool(row["is_next"]))

    def _claim_values(self, worker: str, lease: timedelta) -> dict[str, object]:
        length = lease_microseconds(lease)
        # No two claims end at the same microsecond, so that each knows its own jobs again.
        self._last_lease_end = max(self._steady_microseconds() + length, self._last_lease_end + 1)
        return {
            "worker": worker,
            "until": self._last_lease_end,
            "length": length,
            "now": self._now_microseconds(),
        }

    async def _claim_or_return(
        self, values: dict[str, object], claiming: Awaitable[list[JobRecord]]
    ) -> list[JobRecord]:
        """Await a claim; cancelled meanwhile, give its jobs back."""
        try:
            return await claiming
        except asyncio.CancelledError:
            await finish_even_if_cancelled(self._return_claimed(values))
            raise

    async def _claim_jobs(
        self, values: dict[str, object], max_jobs: int, affinity: str | None, slack: float
    ) -> list[JobRecord]:
        sql = CLAIM_NEXT
        if affinity is not None and slack > 0:
            sql = CLAIM_WITH_AFFINITY
            values |= {"affinity": affinity, "slack": slack}
        count = max_jobs
        if max_jobs > 1:
            count = await self._database.fetch_value(COUNT_CLAIMABLE, {"max_jobs": max_jobs})
        if count <= 1:
            return await self._fetch_records(sql, values) if count else []
        async with self._database.transaction() as transaction:
            row_lists = await transaction.fetch_each(sql, [values] * count)
        return [JobRecord.from_row(row) for rows in row_lists for row in rows]

    async def _return_claimed(self, values: dict[str, object]) -> None:
        """Release the jobs of a claim that was cancelled."""
        for row in await self._database.fetch_all(SELECT_CLAIMED, values):
            reason = {"code": "job.unclaimed", "params": {}}
            await self.release_job(
                row["id"], row["attempt"], row["worker"], reason, count_attempt=False
            )
