"""In and out of the queue: enqueue with limits, claim by fair share."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Collection
from datetime import timedelta

from storage.cancellation import finish_even_if_cancelled
from storage.database import SqlExecutor
from storage.errors import QueueFull
from storage.ids import next_id
from storage.jobs.attempts import JobAttempts
from storage.jobs.base import lease_microseconds
from storage.records import JobRecord, NewJob, QueueLimits, encode_json

logger = logging.getLogger(__name__)

COUNT_WAITING = """
    SELECT (SELECT queued FROM member WHERE owner = :owner) AS owner,
           (SELECT count(*) FROM job WHERE state = 'queued' AND guild = :guild) AS guild,
           (SELECT total(queued) FROM member INDEXED BY member_waiting WHERE queued > 0) AS total
"""

INSERT_JOB = """
    INSERT INTO job (id, kind, params, inputs, owner, guild, reply_to, idempotency_key, cost,
                     priority, parent, weight, affinity, created_at, address_since)
    VALUES (:id, :kind, :params, :inputs, :owner, :guild, :reply_to, :idempotency_key, :cost,
            :priority, (SELECT id FROM job WHERE id = :parent), :weight, :affinity, :now, :now)
    RETURNING *
"""

CLAIM_NEXT = """
    UPDATE job
       SET state = 'running', attempt = attempt + 1, worker = :worker, lease_until = :until,
           lease_length = :length, started_at = :now, step = 0, steps = NULL, spent = NULL,
           charged = cost
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
           charged = cost
     WHERE id = (
       SELECT first.id FROM first JOIN job USING (id)
        ORDER BY job.affinity IS NOT :affinity, first.vtime, first.since LIMIT 1)
    RETURNING *
"""


SELECT_CLAIMED = """
    SELECT id, attempt, worker FROM job
     WHERE state = 'running' AND lease_until = :until AND worker = :worker AND started_at = :now
"""


REPRICE_WAITING = """
    UPDATE job SET cost = cost * :factor
     WHERE state = 'queued' AND affinity IS :affinity
       AND kind IN (SELECT value FROM json_each(:kinds))
"""

RECOMPUTE_AHEAD = """
    UPDATE job SET ahead = line.ahead
      FROM (SELECT id, coalesce(sum(cost / weight) OVER (
                     PARTITION BY owner ORDER BY priority DESC, id
                     ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS ahead
              FROM job WHERE state = 'queued') AS line
     WHERE job.id = line.id
"""


class JobQueue(JobAttempts):
    """The way in and the way to a worker."""

    #: When the lease of the latest claim ends.
    _latest = 0

    async def enqueue(self, job: NewJob, limits: QueueLimits) -> tuple[JobRecord, bool]:
        """Add a job, or return the one that this request made before, and whether it is new.

        Raises:
            QueueFull: the member, the server or the bot has as many jobs waiting as it may.
        """
        async with self._database.transaction() as transaction:
            existing_record = await self._fetch_record(
                "SELECT * FROM job WHERE idempotency_key = ?", (job.idempotency_key,), transaction
            )
            if existing_record is not None:
                return existing_record, False
            await _check_limits(transaction, job, limits)
            record = await self._insert_job(transaction, job)
        logger.info(
            "Enqueued job %s.",
            record.id,
            extra={"action": "enqueue", "job": record.id, "kind": job.kind},
        )
        return record, True

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
        """Do `claim` up to `most` times, each by its own guarded statement, with one commit."""
        length = lease_microseconds(lease)
        # No two claims end at the same microsecond, so that each knows its own jobs again.
        self._latest = max(self._steady_microseconds() + length, self._latest + 1)
        values: dict[str, object] = {
            "worker": worker,
            "until": self._latest,
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
        if max_jobs == 1:
            record = await self._fetch_record(sql, values)
            return [] if record is None else [record]
        async with self._database.transaction() as transaction:
            row_lists = await transaction.fetch_each(sql, [values] * max_jobs)
        return [JobRecord.from_row(row) for rows in row_lists for row in rows]

    async def reprice_waiting(
        self, kinds: Collection[str], affinity: str | None, factor: float
    ) -> None:
        """Multiply what waiting jobs of these kinds and this affinity are thought to cost."""
        values = {"kinds": json.dumps(list(kinds)), "affinity": affinity, "factor": factor}
        async with self._database.transaction() as transaction:
            await transaction.execute(REPRICE_WAITING, values)
            await transaction.execute(RECOMPUTE_AHEAD)

    async def _return_claimed(self, values: dict[str, object]) -> None:
        """Give back what a claim got whose answer nobody waited for."""
        for row in await self._database.fetch_all(SELECT_CLAIMED, values):
            await self.release_job(
                row["id"], row["attempt"], row["worker"], "nobody took it", count_attempt=False
            )

    async def _insert_job(self, transaction: SqlExecutor, job: NewJob) -> JobRecord:
        await transaction.execute(
            "INSERT INTO member (owner) VALUES (?) ON CONFLICT DO NOTHING", (job.owner,)
        )
        (newest,) = await transaction.fetch_all("SELECT max(id) AS id FROM job")
        values = {
            "id": next_id(self._clock.now(), newest["id"]),
            "now": self._now_microseconds(),
            **{name: getattr(job, name) for name in _COPIED_COLUMNS},
            "params": encode_json(job.params),
            "inputs": encode_json(job.inputs),
        }
        (row,) = await transaction.fetch_all(INSERT_JOB, values)
        return JobRecord.from_row(row)


_COPIED_COLUMNS = (
    "kind",
    "owner",
    "guild",
    "reply_to",
    "idempotency_key",
    "cost",
    "priority",
    "parent",
    "weight",
    "affinity",
)


async def _check_limits(transaction: SqlExecutor, job: NewJob, limits: QueueLimits) -> None:
    values = {"owner": job.owner, "guild": job.guild}
    (row,) = await transaction.fetch_all(COUNT_WAITING, values)
    for scope, limit in (
        ("owner", limits.per_owner),
        ("guild", limits.per_guild),
        ("total", limits.total),
    ):
        queued_count = int(row[scope] or 0)
        if queued_count >= limit and (scope != "guild" or job.guild is not None):
            raise QueueFull(scope, limit, queued_count)
