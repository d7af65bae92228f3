"""Jobs that went on in workers while no bot was there: taken over, or given back to the queue."""

from __future__ import annotations

import logging
from collections.abc import Collection

from bot.dispatcher.event_handler import InFlightJobs, WorkerEventHandler
from inference.api.messages import JobsFound
from inference.api.notices import Notice
from inference.api.workers import WorkerPool
from storage.errors import UnknownJob
from storage.jobs import JobStore
from storage.records import JobRecord, JobState

log = logging.getLogger(__name__)


class JobAdoption:
    """Knows which jobs ran when the bot ended last, and what becomes of them.

    Args:
        jobs: the store of jobs.
        service: the workers.
        in_flight: where a job that is taken over belongs.
        event_handler: who announces ends.
        orphans: id, attempt and worker of the jobs that ran.
    """

    def __init__(
        self,
        jobs: JobStore,
        service: WorkerPool,
        in_flight: InFlightJobs,
        event_handler: WorkerEventHandler,
        orphans: Collection[tuple[str, int, str]],
    ) -> None:
        self._jobs = jobs
        self._service = service
        self._in_flight = in_flight
        self._event_handler = event_handler
        self._orphans = {(job_id, attempt): worker for job_id, attempt, worker in orphans}

    async def take_found(self, worker: str, found: JobsFound) -> None:
        """Take over what a worker has in hand; what is not its any more is called off.

        Raises:
            StorageError: the store cannot be asked; the leases will give the jobs back.
        """
        for job_id, attempt in found.jobs:
            in_flight_job = self._in_flight.find_job(worker, job_id, attempt)
            was_orphan = self._orphans.get((job_id, attempt)) == worker
            record = await self._find_running(job_id, attempt)
            if record is None or not (in_flight_job or was_orphan):
                await self._service.cancel_job(worker, job_id, attempt)
                continue
            if in_flight_job is None:
                log.info("Job %s has gone on in %s and is taken over.", job_id, worker)
                del self._orphans[job_id, attempt]
                in_flight_job = self._in_flight.add_job(record, worker)
                in_flight_job.step = record.step
            self._in_flight.note_word(in_flight_job)
            if record.stopping:  # which may have been asked while nobody could pass it on
                await self._service.cancel_job(worker, job_id, attempt, keep=True)

    async def _find_running(self, job_id: str, attempt: int) -> JobRecord | None:
        """Read a job, if that attempt of it runs by the record."""
        try:
            record = await self._jobs.reader.get_job(job_id)
        except UnknownJob:
            return None
        return record if record.state is JobState.RUNNING and record.attempt == attempt else None

    async def give_back_rest(self) -> None:
        """Give back the jobs that no worker was found with; no attempt is counted.

        Raises:
            StorageError: the store cannot be asked; the leases will give the jobs back.
        """
        orphans, self._orphans = self._orphans, {}
        for worker in sorted(set(orphans.values())):
            attempts = [key for key, holder in orphans.items() if holder == worker]
            records = await self._jobs.queue.release_lost(
                worker, attempts, Notice("job.interrupted").to_json(), count_attempts=False
            )
            for record in records:
                if record.state.is_terminal:
                    self._event_handler.announce_end(record)
