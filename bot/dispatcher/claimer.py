"""The way of one job from the queue to a worker that has room for it."""

from __future__ import annotations

import logging
from datetime import timedelta

from bot.dispatcher.event_handler import InFlightJob, InFlightJobs, WorkerEventHandler
from bot.dispatcher.protocols import ClaimGuard
from bot.support.logging import job_log_context
from bot.support.metrics import MetricsSink
from inference.api.commands import FinishedPart, SubmitJob
from inference.api.errors import NoWorker
from inference.api.notices import Notice
from inference.api.workers import WorkerPool
from storage.blobs import BlobStore
from storage.jobs import JobStore
from storage.records import JobRecord

log = logging.getLogger(__name__)

#: Jobs claimed with one commit, at most.
MAX_CLAIMED_JOBS = 8
#: How much longer than fair a member may wait to spare a change of checkpoint, in TFLOP: about four
#: pictures of 512 x 512 in 20 steps.
AFFINITY_SLACK_TFLOP = 150.0


class JobClaimer:
    """Takes jobs out of the queue and hands them over."""

    def __init__(
        self,
        jobs: JobStore,
        blobs: BlobStore,
        service: WorkerPool,
        in_flight: InFlightJobs,
        event_handler: WorkerEventHandler,
        lease: timedelta,
        claim_guard: ClaimGuard | None,
        metrics: MetricsSink,
    ) -> None:
        self._jobs = jobs
        self._blobs = blobs
        self._service = service
        self._in_flight = in_flight
        self._event_handler = event_handler
        self._lease = lease
        #: Who looks at a job once more before it runs.
        self._claim_guard = claim_guard
        self._metrics = metrics
        #: What each worker was last given to load.
        self._last_affinity: dict[str, str | None] = {}

    async def claim_jobs(self) -> bool:
        """Give jobs to a worker; False when no worker or no further job waits.

        Raises:
            StorageError: the queue cannot be asked.
        """
        worker = self._service.free_worker()
        if worker is None:
            return False
        claim_size = self._claim_size(worker)
        records = await self._jobs.queue.claim_several(
            worker,
            self._lease,
            claim_size,
            affinity=self._last_affinity.get(worker),
            slack=AFFINITY_SLACK_TFLOP,
        )
        # All are held before the first is handed over: should that fail, the others are known.
        for in_flight_job in [self._in_flight.add_job(record, worker) for record in records]:
            with job_log_context(in_flight_job.record):
                await self._hand_over(in_flight_job)
        if records:
            self._last_affinity = {
                worker: self._last_affinity[worker]
                for worker in self._worker_names() & set(self._last_affinity)
            }
            self._last_affinity[worker] = records[-1].affinity
        return len(records) == claim_size

    def _worker_names(self) -> set[str]:
        return {status.name for status in self._service.worker_statuses}

    def _claim_size(self, worker: str) -> int:
        """Bound a claim: one of several workers takes one at a time, that all have work."""
        ready_workers = [status for status in self._service.worker_statuses if status.ready]
        if len(ready_workers) != 1:
            return 1
        return max(1, min(MAX_CLAIMED_JOBS, ready_workers[0].capacity - ready_workers[0].held))

    async def _hand_over(self, in_flight_job: InFlightJob) -> None:
        record, worker = in_flight_job.record, in_flight_job.worker
        if record.started_at is not None and record.attempt == 1:
            self._metrics.record_claim(record.started_at - record.created_at)
        guard = self._claim_guard
        denial_reason = None if guard is None else await guard.denial_reason(record)
        if self._in_flight.find_job(worker, record.id, record.attempt) is not in_flight_job:
            return  # called off meanwhile
        if denial_reason is not None:
            await self._event_handler.reject_job(in_flight_job, denial_reason)
            return
        try:
            inputs = {name: str(self._blobs.path_of(key)) for name, key in record.inputs.items()}
            await self._service.submit_job(
                worker,
                SubmitJob(
                    job_id=record.id,
                    attempt=record.attempt,
                    kind=record.kind,
                    params=dict(record.params),
                    inputs=inputs,
                    parts=await self._finished_parts(record),
                ),
            )
        except NoWorker:
            await self._event_handler.requeue_job(
                in_flight_job, Notice("job.worker_gone"), count_attempt=False
            )

    async def _finished_parts(self, record: JobRecord) -> tuple[FinishedPart, ...]:
        """List what earlier attempts at a job have finished."""
        if record.attempt == 1:
            return ()
        stored_parts = await self._jobs.queue.finished_parts(record.id)
        if stored_parts:
            log.info("Job %s goes on after %d finished parts.", record.id, len(stored_parts))
        return tuple(
            FinishedPart(
                number=number, mark=part["mark"], path=str(self._blobs.path_of(part["picture"]))
            )
            for number, part in stored_parts.items()
        )
