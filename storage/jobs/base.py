"""What the parts of the job store share: the table, its clocks, guarded statements."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from storage.clock import ONE_MICROSECOND, Clock, SystemClock, to_microseconds
from storage.database import Database, Parameters, SqlExecutor
from storage.records import JobRecord

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3  # a job that ends so many workers is failed, lest it end the next ones too


class JobTable:
    """The table `job` with its two clocks."""

    def __init__(
        self, database: Database, clock: Clock | None = None, *, max_attempts: int = MAX_ATTEMPTS
    ) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._max_attempts = max_attempts

    def _now_microseconds(self) -> int:
        return to_microseconds(self._clock.now())

    def _steady_microseconds(self, moment: datetime | None = None) -> int:
        return to_microseconds(moment or self._clock.steady_time())

    async def _fetch_record(
        self, sql: str, parameters: Parameters, queries: SqlExecutor | None = None
    ) -> JobRecord | None:
        row = await (queries or self._database).fetch_one(sql, parameters)
        return None if row is None else JobRecord.from_row(row)

    async def _fetch_records(self, sql: str, parameters: Parameters = ()) -> list[JobRecord]:
        return [JobRecord.from_row(row) for row in await self._database.fetch_all(sql, parameters)]

    async def _try_change(self, sql: str, parameters: Parameters) -> bool:
        return await self._database.fetch_one(sql, parameters) is not None

    async def _change_as_holder(
        self,
        sql: str,
        action: str,
        id: str,
        attempt: int,
        worker: str,
        values: Mapping[str, object],
    ) -> sqlite3.Row | None:
        """Run a statement that only the job's present holder may; log it when it may not."""
        holder = {"id": id, "attempt": attempt, "worker": worker}
        row = await self._database.fetch_one(sql, {**values, **holder})
        if row is None:
            log_refusal(action, id, attempt, worker)
        return row


def log_refusal(action: str, id: str, attempt: int, worker: str) -> None:
    """Log that a worker asked for a job that is no longer its own."""
    logger.warning(
        "Refused to %s job %s for attempt %d of %s: it is no longer theirs.",
        action,
        id,
        attempt,
        worker,
        extra={"action": f"refuse_{action}", "job": id, "attempt": attempt, "worker": worker},
    )


def lease_microseconds(lease: timedelta) -> int:
    """Return a lease's length in microseconds, checked to be above 0."""
    if lease <= timedelta(0):
        raise ValueError(f"lease is {lease}, but must be longer than nothing.")
    return lease // ONE_MICROSECOND


def sorted_by_id(records: Iterable[JobRecord]) -> list[JobRecord]:
    """Return the records in the order of their arrival."""
    return sorted(records, key=lambda record: record.id)
