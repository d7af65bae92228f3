"""The job store: all that can be done to jobs, in one object."""

from __future__ import annotations

from storage.jobs.attempts import JobAttempts
from storage.jobs.deliveries import JobDeliveries
from storage.jobs.parts import JobPartialResults
from storage.jobs.queue import JobQueue
from storage.jobs.reader import JobReader
from storage.jobs.retention import JobRetention


class JobStore(JobQueue, JobAttempts, JobPartialResults, JobDeliveries, JobReader, JobRetention):
    """The jobs and their only truth.

    ```python
    async with Database(path) as database:
        jobs = JobStore(database)
        job, created = await jobs.enqueue(new_job, limits)
        job = await jobs.claim("gpu-0", lease=timedelta(seconds=60))
        await jobs.finish(job.id, job.attempt, "gpu-0", {"picture": key})
    ```

    Every change is one guarded statement: it either happens as a whole, or answers False and
    changes nothing, since the job had moved on.
    """
