"""Which job comes next: claims by fair share."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from storage.cancellation import finish_even_if_cancelled
from storage.jobs.attempts import JobAttempts
from storage.jobs.base import lease_microseconds
from storage.records import JobRecord

COUNT_CLAIMABLE = "SELECT count(*) FROM (SELECT 1 FROM job WHERE state = 'queued' LIMIT :max_jobs)"

CLAIM_NEXT = """
    UPDATE job
       SET state = 'running', attempt = attempt + 1, worker = :worker, lease_until = :until,
           lease_length = :length, started_at = :now, step = 0, steps = NULL, spent = NULL,
           spent_seconds = NULL, charged = cost
     WHERE id = (
       SELECT id FROM job
        WHERE state = 'queued'
          AND owner = (SELECT owner FROM member WHERE queued > 0 ORDER BY vtime, since LIMIT 1)
        ORDER BY priority DESC, id LIMIT 1)
    RETURNING *
"""

CLAIM_WITH_AFFINITY = """
    WITH first AS (
      SELECT member.vtime, member.since,
             (SELECT id FROM job WHERE state = 'queued' AND owner = member.owner
               ORDER BY priority DESC, id LIMIT 1) AS id
        FROM member
       WHERE queued > 0
         AND vtime <= (SELECT min(vtime) FROM member WHERE queued > 0) + :slack
       ORDER BY vtime, since LIMIT 16)
    UPDATE job
       SET state = 'running', attempt = attempt + 1, worker = :worker, lease_until = :until,
           lease_length = :length, started_at = :now, step = 0, steps = NULL, spent = NULL,
           spent_seconds = NULL, charged = cost
     WHERE id = (
       SELECT first.id FROM first JOIN job USING (id)
        ORDER BY job.affinity IS NOT :affinity, first.vtime, first.since LIMIT 1)
    RETURNING *
"""

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
        that much, and no more, a member may be kept waiting to spare a change of model.

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
        length = lease_microseconds(lease)
        # No two claims end at the same microsecond, so that each knows its own jobs again.
        self._last_lease_end = max(self._steady_microseconds() + length, self._last_lease_end + 1)
        values: dict[str, object] = {
            "worker": worker,
            "until": self._last_lease_end,
            "length": length,
            "now": self._now_microseconds(),
        }
        try:
            return await self._claim_jobs(values, max_jobs, affinity, slack)
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
