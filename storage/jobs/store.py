"""The job store: all that can be done to jobs, by what it is for."""

from __future__ import annotations

from storage.clock import Clock
from storage.database import Database
from storage.jobs.base import MAX_ATTEMPTS
from storage.jobs.deliveries import JobDeliveries
from storage.jobs.queue import JobQueue
from storage.jobs.reader import JobReader
from storage.jobs.retention import JobRetention


class JobStore:
    """Jobs, in one SQLite file.

    ```python
    async with Database(path) as database:
        jobs = JobStore(database)
        job, created = await jobs.queue.enqueue(new_job, limits)
        job = await jobs.queue.claim("gpu-0", lease=timedelta(seconds=60))
        await jobs.queue.finish_job(job.id, job.attempt, "gpu-0", {"pictures": [{"key": key}]})
    ```

    Every change is one guarded statement: it either happens as a whole, or answers False and
    changes nothing, since the job had moved on.
    """

    def __init__(
        self, database: Database, clock: Clock | None = None, *, max_attempts: int = MAX_ATTEMPTS
    ) -> None:
        self.queue = JobQueue(database, clock, max_attempts=max_attempts)
        self.reader = JobReader(database, clock)
        self.deliveries = JobDeliveries(database, clock)
        self.retention = JobRetention(database, clock)
