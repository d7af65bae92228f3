"""The queue: enqueue with limits, claim by fair share, and what becomes of a running job.

Each statement on a running job is guarded by the id, the attempt and the worker, so that a worker
whose lease was given to another can do no harm when it comes back.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Collection
from datetime import datetime, timedelta

from storage.cancellation import finish_even_if_cancelled
from storage.database import SqlExecutor
from storage.errors import QueueFull, UnknownJob
from storage.jobs.base import JobTable, lease_microseconds, log_refusal, sorted_by_id
from storage.records import JobRecord, Json, NewJob, QueueLimits, encode_json, next_id

logger = logging.getLogger(__name__)

CHECK_NEW_JOB = """
    SELECT (SELECT id FROM job WHERE idempotency_key = :key) AS existing,
           (SELECT max(id) FROM job) AS newest,
           (SELECT queued FROM member WHERE owner = :owner) AS owner,
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

COUNT_CLAIMABLE = "SELECT count(*) FROM (SELECT 1 FROM job WHERE state = 'queued' LIMIT :max_jobs)"

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

RENEW_LEASE = """
    UPDATE job
       SET lease_until = :until, lease_length = :length,
           step = coalesce(:step, step), steps = coalesce(:steps, steps),
           spent = coalesce(:spent, spent)
     WHERE id = :id AND attempt = :attempt AND worker = :worker AND state = 'running'
    RETURNING id
"""

FINISH_JOB = """
    UPDATE job
       SET state = 'done', result = :result, finished_at = :now,
           charged = coalesce(:cost,
             CASE WHEN stopping AND steps > 0 THEN 1.0 * cost * min(step, steps) / steps
                  ELSE cost END),
           lease_until = NULL, lease_length = NULL, delivery = 'pending', delivery_at = :now
     WHERE id = :id AND attempt = :attempt AND worker = :worker AND state = 'running'
    RETURNING *
"""

# A failed or cancelled attempt is charged what it had spent, or where nobody measured that, for
# the share of its steps that it ran.
FAIL_JOB = """
    UPDATE job
       SET state = 'failed', error = :error, finished_at = :now,
           charged = coalesce(
             spent, CASE WHEN steps > 0 THEN 1.0 * cost * min(step, steps) / steps ELSE 0 END),
           lease_until = NULL, lease_length = NULL, delivery = 'pending', delivery_at = :now
     WHERE id = :id AND attempt = :attempt AND worker = :worker AND state = 'running'
    RETURNING *
"""

# What its member had stopped is not tried again.
CANCEL_STOPPED = """
    UPDATE job
       SET state = 'cancelled', finished_at = :now,
           charged = coalesce(
             spent, CASE WHEN steps > 0 THEN 1.0 * cost * min(step, steps) / steps ELSE 0 END),
           lease_until = NULL, lease_length = NULL, delivery = 'pending', delivery_at = :now
     WHERE id = :id AND attempt = :attempt AND worker = :worker AND state = 'running' AND stopping
    RETURNING *
"""

# An attempt that ended without an answer is charged nothing: the next one is charged afresh.
RELEASE_JOB = """
    UPDATE job
       SET state = 'queued', strikes = strikes + :strike, charged = 0, worker = NULL,
           lease_until = NULL, lease_length = NULL
     WHERE id = :id AND attempt = :attempt AND worker = :worker AND state = 'running'
       AND strikes + :strike < :max_attempts AND NOT stopping
    RETURNING *
"""

FAIL_EXHAUSTED = """
    UPDATE job
       SET state = 'failed', strikes = strikes + 1, error = :error, finished_at = :now,
           charged = coalesce(
             spent, CASE WHEN steps > 0 THEN 1.0 * cost * min(step, steps) / steps ELSE 0 END),
           lease_until = NULL, lease_length = NULL, delivery = 'pending', delivery_at = :now
     WHERE id = :id AND attempt = :attempt AND worker = :worker AND state = 'running'
    RETURNING *
"""

CANCEL_JOB = """
    UPDATE job
       SET state = 'cancelled', finished_at = :now,
           charged = CASE WHEN state = 'running' THEN coalesce(
             spent, CASE WHEN steps > 0 THEN 1.0 * cost * min(step, steps) / steps ELSE 0 END)
             ELSE 0 END,
           lease_until = NULL, lease_length = NULL, delivery = :delivery, delivery_at = :now
     WHERE id = :id AND (:owner IS NULL OR owner = :owner) AND state IN ('queued', 'running')
    RETURNING *
"""

STOP_JOB = """
    UPDATE job SET stopping = 1
     WHERE id = :id AND (:owner IS NULL OR owner = :owner) AND state = 'running' AND NOT stopping
    RETURNING id
"""

RESTART_LEASE = """
    UPDATE job SET lease_until = :now + lease_length
     WHERE id = :id AND state = 'running'
"""

SELECT_EXPIRED = """
    SELECT id, attempt, worker FROM job
     WHERE state = 'running' AND lease_until <= ? ORDER BY lease_until
"""

SELECT_RUNNING = "SELECT id, attempt, worker FROM job WHERE state = 'running'"

SAVE_PART = """
    INSERT INTO job_part (job, part, output)
    SELECT id, :part, :output FROM job
     WHERE id = :id AND attempt = :attempt AND worker = :worker AND state = 'running'
    ON CONFLICT (job, part) DO UPDATE SET output = excluded.output
    RETURNING part
"""


class JobQueue(JobTable):
    """Enqueue and claim jobs; lease, finish, fail, release and recover those that run."""

    #: When the lease of the latest claim ends.
    _last_lease_end = 0

    async def enqueue(self, job: NewJob, limits: QueueLimits) -> tuple[JobRecord, bool]:
        """Add a job, or return the one that this request made before, and whether it is new.

        Raises:
            QueueFull: the member, the server or the bot has as many jobs waiting as it may.
        """
        async with self._database.transaction() as transaction:
            values = {"key": job.idempotency_key, "owner": job.owner, "guild": job.guild}
            (row,) = await transaction.fetch_all(CHECK_NEW_JOB, values)
            if row["existing"] is not None:
                sql = "SELECT * FROM job WHERE id = ?"
                (row,) = await transaction.fetch_all(sql, (row["existing"],))
                return JobRecord.from_row(row), False
            _check_limits(row, job, limits)
            if row["owner"] is None:
                await transaction.execute("INSERT INTO member (owner) VALUES (?)", (job.owner,))
            record = await self._insert_job(transaction, job, row["newest"])
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

    async def reprice_waiting(
        self, kinds: Collection[str], affinity: str | None, factor: float
    ) -> None:
        """Multiply what waiting jobs of these kinds and this affinity are thought to cost."""
        values = {"kinds": json.dumps(list(kinds)), "affinity": affinity, "factor": factor}
        async with self._database.transaction() as transaction:
            await transaction.execute(REPRICE_WAITING, values)
            await transaction.execute(RECOMPUTE_AHEAD)

    async def _return_claimed(self, values: dict[str, object]) -> None:
        """Release the jobs of a claim that was cancelled."""
        for row in await self._database.fetch_all(SELECT_CLAIMED, values):
            reason = {"code": "job.unclaimed", "params": {}}
            await self.release_job(
                row["id"], row["attempt"], row["worker"], reason, count_attempt=False
            )

    async def _insert_job(
        self, transaction: SqlExecutor, job: NewJob, newest_id: str | None
    ) -> JobRecord:
        values = {
            "id": next_id(self._clock.now(), newest_id),
            "now": self._now_microseconds(),
            **vars(job),
            "params": encode_json(job.params),
            "inputs": encode_json(job.inputs),
        }
        (row,) = await transaction.fetch_all(INSERT_JOB, values)
        return JobRecord.from_row(row)

    async def renew_lease(
        self,
        id: str,
        attempt: int,
        worker: str,
        lease: timedelta,
        step: int | None = None,
        steps: int | None = None,
        spent: float | None = None,
    ) -> bool:
        """Let the lease run from now, noting the progress; False when the job was lost.

        `spent` is the work that was measured of this attempt so far.
        """
        length = lease_microseconds(lease)
        progress = {"step": step, "steps": steps, "spent": spent}
        values = {"until": self._steady_microseconds() + length, "length": length, **progress}
        row = await self._change_as_holder(RENEW_LEASE, "renew", id, attempt, worker, values)
        return row is not None

    async def finish_job(
        self, id: str, attempt: int, worker: str, result: Json, cost: float | None = None
    ) -> JobRecord | None:
        """Record the result, to be delivered; None when the job was lost to another.

        `cost` is the work that was measured; the owner is charged this in place of the estimate.
        """
        values = {"result": encode_json(result), "cost": cost, "now": self._now_microseconds()}
        row = await self._change_as_holder(FINISH_JOB, "finish", id, attempt, worker, values)
        return None if row is None else JobRecord.from_row(row)

    async def fail_job(self, id: str, attempt: int, worker: str, error: str) -> JobRecord | None:
        """Record why the job cannot be done, to be delivered; None when it was lost."""
        values = {"error": error, "now": self._now_microseconds()}
        row = await self._change_as_holder(FAIL_JOB, "fail", id, attempt, worker, values)
        return None if row is None else JobRecord.from_row(row)

    async def release_job(
        self, id: str, attempt: int, worker: str, reason: Json, *, count_attempt: bool = True
    ) -> JobRecord | None:
        """Put the job back in its old place, or fail it after too many attempts.

        One that was being stopped is called off, and that is delivered.

        `reason` is a notice that completes the sentence "Given up after 3 attempts: …". An attempt
        that ended by no fault of the job, as at a shutdown, does not count. None when the job was
        lost.
        """
        async with self._database.transaction() as transaction:
            record = await self._return_job(transaction, id, attempt, worker, reason, count_attempt)
        if record is None:
            log_refusal("release", id, attempt, worker)
        return record

    async def stop_job(self, id: str, owner: str | None) -> bool:
        """Let the job end with what it has made; False unless it runs and was not stopped yet.

        It is finished with that, for the share of its steps that it ran, or, however else the
        attempt ends, called off. `owner` is as in `cancel`.
        """
        return await self._try_change(STOP_JOB, {"id": id, "owner": owner})

    async def cancel_job(self, id: str, owner: str | None, *, deliver: bool = False) -> JobRecord:
        """Call the job off at once; one that had ended stays as it was.

        A worker that still runs it will find its completion refused. `owner` restricts this to
        that member's own jobs; None may cancel any. `deliver` has the cancellation announced.

        Raises:
            UnknownJob: there is no such job of this owner.
        """
        values = {
            "id": id,
            "owner": owner,
            "now": self._now_microseconds(),
            "delivery": "pending" if deliver else "none",
        }
        record = await self._fetch_record(CANCEL_JOB, values) or await self._fetch_record(
            "SELECT * FROM job WHERE id = :id AND (:owner IS NULL OR owner = :owner)", values
        )
        if record is None:
            raise UnknownJob(id)
        return record

    async def expire_leases(self, current_time: datetime | None = None) -> list[JobRecord]:
        """Take back the jobs whose lease has run out, queued or failed, and return them.

        `now` is a time of the steady clock, by default its present one.
        """
        # Looked up and taken back in one transaction, lest a renewal come between.
        async with self._database.transaction() as transaction:
            late = await transaction.fetch_all(
                SELECT_EXPIRED, (self._steady_microseconds(current_time),)
            )
            return await self._reclaim_rows(transaction, late, "job.stalled")

    async def recover_jobs(self, live_workers: Collection[str] = ()) -> list[JobRecord]:
        """Take back, after a restart, the jobs of all workers but the live ones; return them.

        The leases of live workers begin anew, since the steady clock has a new beginning.
        """
        async with self._database.transaction() as transaction:
            running = await transaction.fetch_all(SELECT_RUNNING)
            for row in running:
                if row["worker"] in live_workers:
                    await transaction.execute(
                        RESTART_LEASE, {"id": row["id"], "now": self._steady_microseconds()}
                    )
            lost_rows = [row for row in running if row["worker"] not in live_workers]
            return await self._reclaim_rows(transaction, lost_rows, "job.interrupted")

    async def _reclaim_rows(
        self, transaction: SqlExecutor, rows: list[sqlite3.Row], code: str
    ) -> list[JobRecord]:
        reclaimed_records = [
            await self._return_job(
                transaction,
                row["id"],
                row["attempt"],
                row["worker"],
                {"code": code, "params": {}},
                True,
            )
            for row in rows
        ]
        return sorted_by_id(record for record in reclaimed_records if record is not None)

    async def _return_job(
        self,
        transaction: SqlExecutor,
        id: str,
        attempt: int,
        worker: str,
        reason: Json,
        count_attempt: bool,
    ) -> JobRecord | None:
        code = "job.given_up_at_once" if self._max_attempts == 1 else "job.given_up"
        params = {"count": self._max_attempts, "why": reason}
        values = {
            "id": id,
            "attempt": attempt,
            "worker": worker,
            "strike": int(count_attempt),
            "max_attempts": self._max_attempts,
            "error": encode_json({"code": code, "params": params}),
            "now": self._now_microseconds(),
        }
        for statement in (CANCEL_STOPPED, RELEASE_JOB, FAIL_EXHAUSTED):
            record = await self._fetch_record(statement, values, transaction)
            if record is not None:
                return record
        return None

    async def record_part(
        self, id: str, attempt: int, worker: str, part: int, output: Json
    ) -> bool:
        """Keep what part number `part`, from 0, came to; False when the job was lost."""
        values = {"part": part, "output": encode_json(output)}
        row = await self._change_as_holder(SAVE_PART, "record_part", id, attempt, worker, values)
        return row is not None

    async def finished_parts(self, id: str) -> dict[int, Json]:
        """Return the finished parts' outputs by number, in order."""
        rows = await self._database.fetch_all(
            "SELECT part, output FROM job_part WHERE job = ? ORDER BY part", (id,)
        )
        return {row["part"]: json.loads(row["output"]) for row in rows}


def _check_limits(row: sqlite3.Row, job: NewJob, limits: QueueLimits) -> None:
    for scope, limit in (
        ("owner", limits.per_owner),
        ("guild", limits.per_guild),
        ("total", limits.total),
    ):
        queued_count = int(row[scope] or 0)
        if queued_count >= limit and (scope != "guild" or job.guild is not None):
            raise QueueFull(scope, limit, queued_count)
