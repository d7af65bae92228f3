"""The way of one job from the queue to a worker that has room for it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta

from bot.dispatcher.event_handler import InFlightJob, InFlightJobs, WorkerEventHandler
from bot.dispatcher.placement import (
    DEFAULT_JOB_SECONDS,
    JOBS_BEYOND_BATCH,
    LOAD_SECONDS,
    ModelDemand,
    WaitingJob,
    WorkerLoad,
    choose_placement,
    list_passed_over,
)
from bot.dispatcher.protocols import ClaimGuard, DisplayLimitReader, shown_nowhere
from bot.dispatcher.worker_models import WorkerModels
from bot.support.logging import job_log_context
from bot.support.metrics import MetricsSink
from inference.api.commands import FinishedPart, SubmitJob
from inference.api.errors import NoWorker
from inference.api.jobs.needs import named_checkpoint
from inference.api.notices import Notice
from inference.api.workers import WorkerPool
from storage.blobs import BlobStore
from storage.errors import StorageError
from storage.jobs import JobStore
from storage.records import JobRecord, QuarantineTurn

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
        worker_models: WorkerModels,
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
        #: Tells what the place takes where a job's result is shown.
        self.display_limits: DisplayLimitReader = shown_nowhere
        #: What each worker was last given to load.
        self._last_affinity: dict[str, str | None] = {}
        #: Who is given nothing more until it can take a group of suspects alone.
        self._reserved_worker: str | None = None
        self._worker_models = worker_models
        #: How much each checkpoint was wanted of late.
        self._demand = ModelDemand()
        #: Waiting jobs that no worker can do as things are, and as of which change of things.
        self._unable: set[str] = set()
        self._unable_since = 0
        #: Seconds of work that went past those first in line.
        self._passed_seconds: dict[str, float] = {}

    async def claim_jobs(self) -> bool:
        """Give jobs to a worker; False when no worker or no further job waits.

        Raises:
            StorageError: the queue cannot be asked.
        """
        if self._in_flight.may_have_suspects:
            # Before it is asked: a worker may be lost meanwhile.
            self._in_flight.may_have_suspects, was_answered = False, False
            try:
                turn = await self._jobs.queue.quarantine_turn()
                was_answered = True
            finally:
                self._in_flight.may_have_suspects |= not was_answered
            if turn is not None:
                self._in_flight.may_have_suspects = True
                return await self._claim_beside_suspects(turn)
            self._reserved_worker = None
        if len(self._service.worker_statuses) > 1:
            return await self._place_job()
        worker = self._service.free_worker()
        if worker is None:
            return False
        (status,) = self._service.worker_statuses
        claim_size = max(1, min(MAX_CLAIMED_JOBS, status.capacity - status.held))
        records = await self._jobs.queue.claim_several(
            worker,
            self._lease,
            claim_size,
            affinity=self._last_affinity.get(worker),
            slack=AFFINITY_SLACK_TFLOP,
        )
        all_taken = await self._hand_over_all(records, worker)
        return len(records) == claim_size or not all_taken

    async def _place_job(self, *, but: str | None = None) -> bool:
        """Give one of the first jobs in line to the worker that suits it; False where none does.

        Jobs that must be tried apart are no such, and a worker that is named gets nothing.
        """
        if not any(load.room > 0 for load in self._worker_loads(but)):
            return False
        records = await self._first_in_line()
        self._passed_seconds = {
            record.id: self._passed_seconds.get(record.id, 0.0) for record in records
        }
        line = [
            WaitingJob(
                id=record.id,
                model=named_checkpoint(record.kind, record.params),
                workers=self._worker_models.find_able(record),
                passed_seconds=self._passed_seconds[record.id],
            )
            for record in records
        ]
        placement = choose_placement(line, self._worker_loads(but), self._demand.counts)
        if placement is None:
            return False
        record = await self._jobs.queue.claim_job(placement.job.id, placement.worker, self._lease)
        if record is None:  # called off meanwhile, or under suspicion
            return True
        for passed_job in list_passed_over(line, placement):
            self._passed_seconds[passed_job.id] += _job_seconds(record)
        self._demand.add_job(placement.job.model)
        await self._hand_over_all([record], placement.worker)
        return True

    async def _first_in_line(self) -> list[JobRecord]:
        """List the first jobs in line that some worker can do."""
        self._worker_models.refresh()
        if self._unable_since != self._worker_models.changes:
            self._unable, self._unable_since = set(), self._worker_models.changes
        while True:
            records = await self._jobs.queue.list_first_waiting(
                AFFINITY_SLACK_TFLOP, skipped_ids=self._unable
            )
            unable = {record.id for record in records if not self._worker_models.find_able(record)}
            if not unable:
                return records
            self._unable |= unable

    def _worker_loads(self, but: str | None) -> list[WorkerLoad]:
        """Say of each worker that takes jobs what it holds, and how many more it may be given."""
        ready_statuses = [s for s in self._service.worker_statuses if s.ready]
        loads = []
        for status in (s for s in ready_statuses if s.name != but):
            jobs = self._in_flight.held_by(status.name)
            depth = status.capacity
            if len(ready_statuses) > 1:
                depth = min(depth, status.batch + JOBS_BEYOND_BATCH)
            job_count = max(status.held, len(jobs))
            checkpoints = (named_checkpoint(job.record.kind, job.record.params) for job in jobs)
            coming = {model for model in checkpoints if model is not None} - status.resident
            loads.append(
                WorkerLoad(
                    name=status.name,
                    held=job_count,
                    room=depth - job_count,
                    models=status.resident | coming,
                    backlog_seconds=LOAD_SECONDS * len(coming) + sum(map(_remaining_seconds, jobs)),
                )
            )
        return loads

    async def _claim_beside_suspects(self, turn: QuarantineTurn) -> bool:
        """Try a group of suspects on a worker of its own, one at a time; others go past them."""
        workers = {
            status.name: max(status.held, len(self._in_flight.held_by(status.name)))
            for status in sorted(self._service.worker_statuses, key=lambda status: status.held)
            if status.ready and status.held < status.capacity
        }
        tried_job = next(
            (job for job in self._in_flight.held_by() if job.record.quarantine is not None), None
        )
        if self._reserved_worker not in self._worker_names():
            self._reserved_worker = await self._choose_reserved(turn, workers)
        reserved_worker = self._reserved_worker if tried_job is None else tried_job.worker
        can_try = tried_job is None and reserved_worker and workers.get(reserved_worker) == 0
        if can_try and reserved_worker and turn.group is not None:
            self._reserved_worker = None
            records = await self._jobs.queue.claim_quarantine(
                reserved_worker, self._lease, turn.group
            )
            await self._hand_over_all(records, reserved_worker)
            return bool(records)
        if len(self._service.worker_statuses) > 1:
            return await self._place_job(but=reserved_worker)
        worker = next((name for name in workers if name != reserved_worker), "")
        record = await self._jobs.queue.claim(worker, self._lease) if worker else None
        await self._hand_over_all([] if record is None else [record], worker)
        return record is not None

    async def _choose_reserved(self, turn: QuarantineTurn, workers: Iterable[str]) -> str | None:
        """Choose who shall try the group whose turn it is: the emptiest that can do its jobs."""
        if not turn.is_next:
            return None
        names = list(workers)
        if turn.group is not None and len(names) > 1:
            records = await self._jobs.queue.list_quarantined(turn.group)
            able = [self._worker_models.find_able(record) for record in records]
            names = [name for name in names if all(name in some for some in able)] or names
        return next(iter(names), None)

    async def _hand_over_all(self, records: Sequence[JobRecord], worker: str) -> bool:
        """Hand jobs over; False when some were not taken, which may be claimed again.

        Raises:
            StorageError: some could not be handed over since the store failed.
        """
        # All are held before the first is handed over: should that fail, the others are known.
        failure: StorageError | None = None
        jobs = [self._in_flight.add_job(record, worker) for record in records]
        for in_flight_job in jobs:
            with job_log_context(in_flight_job.record):
                try:
                    await self._hand_over(in_flight_job)
                except StorageError as error:
                    failure = error
        if failure is not None:
            raise failure
        if records:
            self._last_affinity = {
                worker: self._last_affinity[worker]
                for worker in self._worker_names() & set(self._last_affinity)
            }
            self._last_affinity[worker] = records[-1].affinity
        return all(map(self._is_held, jobs))

    def _worker_names(self) -> set[str]:
        return {status.name for status in self._service.worker_statuses}

    async def _hand_over(self, in_flight_job: InFlightJob) -> None:
        """Hand over a job, or give it back; what goes wrong with it is no other's matter."""
        try:
            await self._submit_or_reject(in_flight_job)
        except NoWorker:
            if self._is_held(in_flight_job):
                reason = Notice("job.worker_gone")
                await self._event_handler.requeue_job(in_flight_job, reason, count_attempt=False)
        except StorageError:
            reason = Notice("job.unclaimed")
            await self._event_handler.requeue_job(in_flight_job, reason, count_attempt=False)
            raise
        except Exception as error:
            log.exception("Job %s could not be handed over.", in_flight_job.record.id)
            reason = Notice("job.broke", error=type(error).__name__)
            await self._event_handler.requeue_job(in_flight_job, reason)

    async def _submit_or_reject(self, in_flight_job: InFlightJob) -> None:
        record, worker = in_flight_job.record, in_flight_job.worker
        if record.started_at is not None and record.attempt == 1:
            self._metrics.record_claim(record.started_at - record.created_at)
        guard = self._claim_guard
        denial_reason = None if guard is None else await guard.denial_reason(record)
        if denial_reason is not None and self._is_held(in_flight_job):
            await self._event_handler.reject_job(in_flight_job, denial_reason)
            return
        inputs = {name: str(self._blobs.path_of(key)) for name, key in record.inputs.items()}
        submission = SubmitJob(
            job_id=record.id,
            attempt=record.attempt,
            kind=record.kind,
            params=dict(record.params),
            owner=record.owner,
            inputs=inputs,
            parts=await self._finished_parts(record),
            display=self.display_limits(record),
        )
        if self._is_held(in_flight_job):  # not called off meanwhile
            await self._service.submit_job(worker, submission)

    def _is_held(self, in_flight_job: InFlightJob) -> bool:
        record = in_flight_job.record
        found_job = self._in_flight.find_job(in_flight_job.worker, record.id, record.attempt)
        return found_job is in_flight_job

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


def _job_seconds(record: JobRecord) -> float:
    """Give what a job takes, or what jobs take where nothing is known of it."""
    return DEFAULT_JOB_SECONDS if record.forecast_seconds is None else record.forecast_seconds


def _remaining_seconds(job: InFlightJob) -> float:
    share = min(1.0, job.step / job.steps) if job.steps else 0.0
    return _job_seconds(job.record) * (1 - share)
