"""The queue: enqueue with limits, reprice, stop and cancel; and claims, by fair share."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Collection

from storage.database import SqlExecutor
from storage.errors import QueueFull, UnknownJob
from storage.jobs.claims import JobClaims
from storage.jobs.guild_load import LoadCheck, read_guild_load
from storage.records import JobRecord, NewJob, QueueLimits, encode_json, next_id

logger = logging.getLogger(__name__)

#: What the shares above 1 of one server's members add up to at most, while they have jobs.
MAX_GUILD_SHARE = 4.0

CHECK_NEW_JOB = """
    SELECT (SELECT id FROM job WHERE idempotency_key = :key) AS existing,
           (SELECT max(id) FROM job) AS newest,
           (SELECT queued FROM member WHERE owner = :owner) AS owner,
           (SELECT count(*) FROM job WHERE state = 'queued' AND guild = :guild) AS guild,
           (SELECT total(queued) FROM member INDEXED BY member_waiting WHERE queued > 0) AS total,
           EXISTS (SELECT 1 FROM job WHERE guild = :guild AND share > 1 AND finished_at IS NULL)
             AS raised
"""

INSERT_JOB = """
    INSERT INTO job (id, kind, params, inputs, owner, guild, reply_to, idempotency_key, cost,
                     priority, parent, weight, share, affinity, forecast_seconds, created_at,
                     address_since)
    VALUES (:id, :kind, :params, :inputs, :owner, :guild, :reply_to, :idempotency_key, :cost,
            :priority, (SELECT id FROM job WHERE id = :parent), :weight, :weight, :affinity,
            :forecast_seconds, :now, :now)
    RETURNING *
"""

REPRICE_WAITING = """
    UPDATE job SET cost = cost * :factor, forecast_seconds = forecast_seconds * :factor
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

# Of one server, shares above 1 add up to at most `:bound` over the members who have jobs under way,
# and none falls below 1 for that. Only jobs that wait change: what runs is charged as it began.
BOUND_SHARES = """
    WITH raised AS (
      SELECT max(share) AS share FROM job
       WHERE guild = :guild AND share > 1 AND finished_at IS NULL GROUP BY owner),
    bounded AS (SELECT min(1.0, :bound / total(share)) AS factor FROM raised)
    UPDATE job SET weight = max(1.0, share * factor) FROM bounded
     WHERE guild = :guild AND share > 1 AND finished_at IS NULL
       AND state = 'queued' AND weight <> max(1.0, share * factor)
    RETURNING id
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


class JobQueue(JobClaims):
    """Enqueue jobs and call them off, claim them, and end those that run."""

    async def enqueue(
        self, job: NewJob, limits: QueueLimits, check_load: LoadCheck | None = None
    ) -> tuple[JobRecord, bool]:
        """Add a job, or return the one that this request made before, and whether it is new.

        `check_load` is shown what the job's server has under way, in the same transaction, and
        refuses by raising: of jobs asked for at once none slips past a limit that another filled.

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
            if check_load is not None and job.guild is not None:
                check_load(
                    await read_guild_load(
                        transaction, job.guild, job.owner, self._now_microseconds()
                    )
                )
            if row["owner"] is None:
                await transaction.execute("INSERT INTO member (owner) VALUES (?)", (job.owner,))
            record = await self._insert_job(transaction, job, row["newest"])
            if job.guild is not None and (row["raised"] or job.weight > 1):
                record = await self._bound_shares(transaction, record)
        logger.info(
            "Enqueued job %s.",
            record.id,
            extra={"action": "enqueue", "job": record.id, "kind": job.kind},
        )
        return record, True

    async def _insert_job(
        self, transaction: SqlExecutor, job: NewJob, newest_id: str | None
    ) -> JobRecord:
        now_microseconds = self._now_microseconds()
        values = {
            "id": next_id(now_microseconds, newest_id),
            "now": now_microseconds,
            **vars(job),
            "params": encode_json(job.params),
            "inputs": encode_json(job.inputs),
        }
        (row,) = await transaction.fetch_all(INSERT_JOB, values)
        return JobRecord.from_row(row)

    async def _bound_shares(self, transaction: SqlExecutor, record: JobRecord) -> JobRecord:
        """Bound the larger shares of a new job's server; return the job as it then is."""
        values = {"guild": record.guild, "bound": MAX_GUILD_SHARE}
        if not await transaction.fetch_all(BOUND_SHARES, values):
            return record
        await transaction.execute(RECOMPUTE_AHEAD)
        (row,) = await transaction.fetch_all("SELECT * FROM job WHERE id = ?", (record.id,))
        return JobRecord.from_row(row)

    async def reprice_waiting(
        self, kinds: Collection[str], affinity: str | None, factor: float
    ) -> None:
        """Multiply what waiting jobs of these kinds and this affinity are thought to cost."""
        values = {"kinds": json.dumps(list(kinds)), "affinity": affinity, "factor": factor}
        async with self._database.transaction() as transaction:
            await transaction.execute(REPRICE_WAITING, values)
            await transaction.execute(RECOMPUTE_AHEAD)

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


def _check_limits(row: sqlite3.Row, job: NewJob, limits: QueueLimits) -> None:
    for scope, limit in (
        ("owner", limits.per_owner),
        ("guild", limits.per_guild),
        ("total", limits.total),
    ):
        queued_count = int(row[scope] or 0)
        if queued_count >= limit and (scope != "guild" or job.guild is not None):
            raise QueueFull(scope, limit, queued_count)
