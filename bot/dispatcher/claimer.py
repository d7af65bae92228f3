"""The way of one job from the queue to a worker that has room for it."""

from __future__ import annotations

import logging
from datetime import timedelta

from bot.dispatcher.event_handler import WorkerEventHandler
from bot.dispatcher.in_flight import InFlightJob, InFlightJobs
from bot.dispatcher.protocols import AllowAllJobs, ClaimGuard
from bot.support.logging import job_log_context
from bot.support.metrics import MetricsSink
from inference.api.commands import FinishedPart, SubmitJob
from inference.api.errors import NoWorker
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
        hands: InFlightJobs,
        recorder: WorkerEventHandler,
        lease: timedelta,
    ) -> None:
        #: Who looks at a job once more before it runs.
        self.admission: ClaimGuard = AllowAllJobs()
        #: Who measures.
        self.meter = MetricsSink()
        self._jobs = jobs
        self._blobs = blobs
        self._service = service
        self._hands = hands
        self._recorder = recorder
        self._lease = lease
        #: What each worker was last given to load.
        self._near: dict[str, str | None] = {}

    async def claim_jobs(self) -> bool:
        """Give jobs to a worker; False when there is none of one or the other.

        Raises:
            StorageError: the queue cannot be asked.
        """
        worker = self._service.free_worker()
        if worker is None:
            return False
        records = await self._jobs.claim_several(
            worker,
            self._lease,
            self._claim_size(worker),
            affinity=self._near.get(worker),
            slack=AFFINITY_SLACK_TFLOP,
        )
        # All are held before the first is handed over: should that fail, the others are known.
        for in_flight_job in [self._hands.add_job(record, worker) for record in records]:
            with job_log_context(in_flight_job.record):
                await self._hand_over(in_flight_job)
        if records:
            self._near = {
                worker: self._near[worker] for worker in self._worker_names() & set(self._near)
            }
            self._near[worker] = records[-1].affinity
        return bool(records)

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
            self.meter.record_claim(record.started_at - record.created_at)
        denial_reason = await self.admission.denial_reason(record)
        if self._hands.find_job(worker, record.id, record.attempt) is not in_flight_job:
            return  # called off meanwhile
        if denial_reason is not None:
            await self._recorder.reject_job(in_flight_job, denial_reason)
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
            await self._recorder.requeue_job(
                in_flight_job, "The worker was gone.", count_attempt=False
            )

    async def _finished_parts(self, record: JobRecord) -> tuple[FinishedPart, ...]:
        """List what earlier attempts at a job have finished."""
        if record.attempt == 1:
            return ()
        stored_parts = await self._jobs.finished_parts(record.id)
        if stored_parts:
            log.info("Job %s goes on after %d finished parts.", record.id, len(stored_parts))
        return tuple(
            FinishedPart(
                number=number, mark=part["mark"], path=str(self._blobs.path_of(part["picture"]))
            )
            for number, part in stored_parts.items()
        )
