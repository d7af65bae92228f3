"""What becomes of a running job: its lease, its end, and its way back into the queue.

Each statement is guarded by the id, the attempt and the worker, so that a worker whose lease was
given to another can do no harm when it comes back.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from storage.database import SqlExecutor
from storage.jobs.base import JobTable, lease_microseconds, log_refusal, sorted_by_id
from storage.records import JobRecord, Json, LeaseRenewal, encode_json

# All of a worker's jobs in one statement, which is one commit; each is guarded for itself.
RENEW_LEASES = """
    WITH renewal AS (
      SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.attempt') AS attempt,
             json_extract(value, '$.step') AS step, json_extract(value, '$.steps') AS steps,
             json_extract(value, '$.spent') AS spent,
             json_extract(value, '$.spent_seconds') AS spent_seconds
        FROM json_each(:renewals))
    UPDATE job
       SET lease_until = :until, lease_length = :length,
           step = coalesce(renewal.step, job.step), steps = coalesce(renewal.steps, job.steps),
           spent = coalesce(renewal.spent, job.spent),
           spent_seconds = coalesce(renewal.spent_seconds, job.spent_seconds)
      FROM renewal
     WHERE job.id = renewal.id AND job.attempt = renewal.attempt
       AND +worker = :worker AND +state = 'running'
    RETURNING id, attempt
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

RESTART_LEASE = """
    UPDATE job SET lease_until = :now + lease_length
     WHERE id = :id AND state = 'running'
"""

SELECT_EXPIRED = """
    SELECT id, attempt, worker FROM job
     WHERE state = 'running' AND lease_until <= ? ORDER BY lease_until
"""

# A group of its own for each half of the jobs that a worker held, by their number.
QUARANTINE = """
    UPDATE job SET quarantine = :group WHERE id = :id AND state = 'queued' RETURNING *
"""

SELECT_LAST_QUARANTINE = "SELECT coalesce(max(quarantine), 0) FROM job WHERE quarantine IS NOT NULL"

SELECT_RUNNING = "SELECT id, attempt, worker FROM job WHERE state = 'running'"

SAVE_PART = """
    INSERT INTO job_part (job, part, output)
    SELECT id, :part, :output FROM job
     WHERE id = :id AND attempt = :attempt AND worker = :worker AND state = 'running'
    ON CONFLICT (job, part) DO UPDATE SET output = excluded.output
    RETURNING part
"""


class JobAttempts(JobTable):
    """Lease, finish, fail, release and recover the jobs that run."""

    async def renew_lease(
        self,
        id: str,
        attempt: int,
        worker: str,
        lease: timedelta,
        step: int | None = None,
        steps: int | None = None,
        spent: float | None = None,
        spent_seconds: float | None = None,
    ) -> bool:
        """Let the lease run from now, noting the progress; False when the job was lost.

        `spent` is the work that was measured of this attempt so far, `spent_seconds` the time of
        the GPU.
        """
        renewal = LeaseRenewal(
            id=id,
            attempt=attempt,
            step=step,
            steps=steps,
            spent=spent,
            spent_seconds=spent_seconds,
        )
        return bool(await self.renew_leases(worker, lease, [renewal]))

    async def renew_leases(
        self, worker: str, lease: timedelta, renewals: Collection[LeaseRenewal]
    ) -> set[tuple[str, int]]:
        """Do `renew_lease` for several of a worker's jobs with one commit.

        Returns the id and attempt of those that are still its own.
        """
        length = lease_microseconds(lease)
        values = {
            "worker": worker,
            "until": self._steady_microseconds() + length,
            "length": length,
            "renewals": json.dumps([vars(renewal) for renewal in renewals]),
        }
        rows = await self._database.fetch_all(RENEW_LEASES, values)
        renewed_attempts = {(row["id"], row["attempt"]) for row in rows}
        for renewal in renewals:
            if (renewal.id, renewal.attempt) not in renewed_attempts:
                log_refusal("renew", renewal.id, renewal.attempt, worker)
        return renewed_attempts

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

    async def release_lost(
        self,
        worker: str,
        attempts: Collection[tuple[str, int]],
        reason: Json,
        *,
        count_attempts: bool = True,
    ) -> list[JobRecord]:
        """Put back what a worker held when it ended, and return what was still its.

        `attempts` are the id and attempt of all that it held. A job that was alone with it loses an
        attempt, as by `release_job`. Several are no proof against any: none loses one, and each
        half of them is tried apart from all other jobs, until one that ends workers is alone.
        Where none of them can have ended it (`count_attempts` is False) all go back as they were.
        """
        async with self._database.transaction() as transaction:
            return await self._return_lost(
                transaction, worker, attempts, reason, count_attempts=count_attempts
            )

    async def list_running(self) -> list[tuple[str, int, str]]:
        """Return id, attempt and worker of the jobs that run by the record."""
        rows = await self._database.fetch_all(SELECT_RUNNING)
        return [(row["id"], row["attempt"], row["worker"]) for row in rows]

    async def list_expired(self) -> list[tuple[str, int, str]]:
        """Return id, attempt and worker of the jobs whose lease has run out."""
        rows = await self._database.fetch_all(SELECT_EXPIRED, (self._steady_microseconds(),))
        return [(row["id"], row["attempt"], row["worker"]) for row in rows]

    async def expire_leases(
        self,
        current_time: datetime | None = None,
        *,
        spared: Collection[tuple[str, int]] = (),
    ) -> list[JobRecord]:
        """Take back the jobs whose lease has run out, by `release_lost`, and return them.

        `current_time` is a time of the steady clock, by default its present one; `spared` are the
        id and attempt of those that somebody else decides about.
        """
        # Looked up and taken back in one transaction, lest a renewal come between.
        async with self._database.transaction() as transaction:
            late = await transaction.fetch_all(
                SELECT_EXPIRED, (self._steady_microseconds(current_time),)
            )
            lost_rows = [row for row in late if (row["id"], row["attempt"]) not in spared]
            return await self._reclaim_rows(transaction, lost_rows, "job.stalled")

    async def recover_jobs(self, live_workers: Collection[str] = ()) -> list[JobRecord]:
        """Take back, after a restart, the jobs of all workers but the live ones, by `release_lost`.

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
        attempts_by_worker: dict[str, list[tuple[str, int]]] = {}
        for row in rows:
            attempts_by_worker.setdefault(row["worker"], []).append((row["id"], row["attempt"]))
        reason = {"code": code, "params": {}}
        return sorted_by_id(
            [
                record
                for worker, attempts in attempts_by_worker.items()
                for record in await self._return_lost(transaction, worker, attempts, reason)
            ]
        )

    async def _return_lost(
        self,
        transaction: SqlExecutor,
        worker: str,
        attempts: Collection[tuple[str, int]],
        reason: Json,
        *,
        count_attempts: bool = True,
    ) -> list[JobRecord]:
        strikes = len(attempts) == 1 and count_attempts
        returned_records = [
            record
            for id, attempt in sorted(attempts)
            if (record := await self._return_job(transaction, id, attempt, worker, reason, strikes))
        ]
        if not count_attempts:
            return returned_records
        waiting_ids = [record.id for record in returned_records if not record.state.is_terminal]
        (last_row,) = await transaction.fetch_all(SELECT_LAST_QUARANTINE)
        middle = (len(waiting_ids) + 1) // 2
        groups = {
            id: last_row[0] + (1 if number < middle else 2) for number, id in enumerate(waiting_ids)
        }
        for id, group in groups.items():
            await transaction.execute(QUARANTINE, {"id": id, "group": group})
        return [replace(record, quarantine=groups.get(record.id)) for record in returned_records]

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
