"""What the workers say becomes records, and only then announcements."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.dispatcher.in_flight import InFlightJob, InFlightJobs
from bot.dispatcher.protocols import HostAlert, JobListener, LearnFromJob, ignore_job
from bot.support.logging import job_log_context
from bot.support.metrics import MetricsSink
from inference.api.jobs.price import OPERATIONS_PER_TFLOP
from inference.api.messages import (
    Event,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobProgress,
    OutputFile,
    PartFinished,
    StartFailed,
    WorkerLost,
    WorkerPaused,
    WorkerReady,
    WorkerRecovered,
)
from inference.api.workers import WorkerPool
from storage.blobs import BlobStore
from storage.errors import StorageError
from storage.jobs import JobStore

log = logging.getLogger(__name__)


class WorkerEventHandler:
    """Writes the workers' events into the store."""

    def __init__(
        self,
        jobs: JobStore,
        blobs: BlobStore,
        service: WorkerPool,
        hands: InFlightJobs,
        job_listener: JobListener,
        lease: timedelta,
    ) -> None:
        self.announcer = job_listener
        self.alarm: HostAlert = log.error
        #: Who learns from jobs that came to their end; never raises.
        self.learn: LearnFromJob = ignore_job
        self.meter = MetricsSink()
        self._jobs = jobs
        self._blobs = blobs
        self._service = service
        self._hands = hands
        self._lease = lease

    async def handle_event(self, worker: str, event: Event) -> None:
        """Record one event and announce what came of it.

        Raises:
            StorageError: it could not be recorded; the lease will give the job back.
        """
        in_flight_job = self._job_of_event(worker, event)
        with (
            job_log_context(in_flight_job.record)
            if in_flight_job is not None
            else contextlib.nullcontext()
        ):
            await self._apply_event(worker, event)

    def _job_of_event(self, worker: str, event: Event) -> InFlightJob | None:
        """Find the job that an event is about."""
        if isinstance(event, JobProgress | PartFinished | JobFinished | JobFailed | JobCancelled):
            return self._hands.find_job(worker, event.job_id, event.attempt)
        return None

    async def _apply_event(self, worker: str, event: Event) -> None:
        match event:
            case WorkerReady():
                log.info("%s is ready on %s (%s).", worker, event.device, event.dtype)
            case StartFailed():
                log.error("%s cannot start: %s", worker, event.reason)
            case JobProgress():
                await self._on_progress(worker, event)
            case PartFinished():
                await self._on_part_finished(worker, event)
            case JobFinished():
                await self._on_job_finished(worker, event)
            case JobFailed():
                await self._on_job_failed(worker, event)
            case JobCancelled():
                await self._on_job_dropped(worker, event)
            case WorkerLost():
                await self._on_worker_lost(event)
            case WorkerPaused():
                minutes = max(1, round(event.seconds / 60))
                self.alarm(
                    f"{event.worker} takes no jobs for {minutes} min: {event.reason}. Jobs wait; "
                    "then it is tried once. `python main.py doctor` looks for the cause."
                )
            case WorkerRecovered():
                self.alarm(f"{event.worker} does jobs again.")

    async def requeue_job(
        self, in_flight_job: InFlightJob, reason: str, *, count_attempt: bool = True
    ) -> None:
        """Give a job back to the queue, or end it: out of attempts, or stopped by its member."""
        record = in_flight_job.record
        with self._removing_job(in_flight_job):
            await self.save_progress(in_flight_job)
            released_record = await self._jobs.release_job(
                record.id, record.attempt, in_flight_job.worker, reason, count_attempt=count_attempt
            )
        if released_record is not None and released_record.state.is_terminal:
            self.announcer.on_job_ended(released_record)

    async def reject_job(self, in_flight_job: InFlightJob, reason: str) -> None:
        """Fail a job that may no longer run; it has run no step and is charged nothing."""
        record = in_flight_job.record
        with self._removing_job(in_flight_job):
            was_failed = await self._jobs.fail_job(
                record.id, record.attempt, in_flight_job.worker, reason
            )
        if was_failed:
            await self._announce_end(record.id)

    async def _on_progress(self, worker: str, event: JobProgress) -> None:
        in_flight_job = self._hands.find_job(worker, event.job_id, event.attempt)
        if in_flight_job is None:
            return
        self.meter.record_steps(event.step - in_flight_job.step, event.rows)
        in_flight_job.step, in_flight_job.steps, in_flight_job.spent_tflop = (
            event.step,
            event.steps,
            _to_tflop(event.flops),
        )
        for other_job in self._hands.held_by(worker):
            if other_job.lease_renewal_due():
                await self._renew_lease(other_job)
        if self._hands.find_job(worker, event.job_id, event.attempt) is in_flight_job:
            self.announcer.on_progress(in_flight_job.record, event)

    async def save_progress(self, in_flight_job: InFlightJob) -> None:
        """Store how far a job is: one that ends without a result is charged for that much."""
        if in_flight_job.steps is not None:
            await self._store_progress(in_flight_job)

    async def _store_progress(self, in_flight_job: InFlightJob) -> bool:
        record, step = (
            in_flight_job.record,
            in_flight_job.step if in_flight_job.steps is not None else None,
        )
        return await self._jobs.renew_lease(
            record.id,
            record.attempt,
            in_flight_job.worker,
            self._lease,
            step,
            in_flight_job.steps,
            in_flight_job.spent_tflop,
        )

    async def _renew_lease(self, in_flight_job: InFlightJob) -> None:
        """Renew a lease: a worker that steps at all is alive for the jobs that wait in it too."""
        record = in_flight_job.record
        if not await self._store_progress(in_flight_job):
            self._hands.remove_job(record.id, record.attempt)
            await self._service.cancel_job(in_flight_job.worker, record.id, record.attempt)

    def _find_or_log(self, worker: str, job_id: str, attempt: int) -> InFlightJob | None:
        in_flight_job = self._hands.find_job(worker, job_id, attempt)
        if in_flight_job is None:
            log.info("%s spoke of job %s, which it does not hold.", worker, job_id)
        return in_flight_job

    @contextlib.contextmanager
    def _removing_job(self, in_flight_job: InFlightJob) -> Iterator[None]:
        """Let go of a job only when its end is recorded: a stop waits for empty hands."""
        try:
            yield
        finally:
            self._hands.remove_job(in_flight_job.record.id, in_flight_job.record.attempt)

    async def _on_part_finished(self, worker: str, event: PartFinished) -> None:
        """Keep a finished part; without it the job is none the worse, only slower if it fails."""
        in_flight_job = self._hands.find_job(worker, event.job_id, event.attempt)
        if in_flight_job is None:
            await asyncio.to_thread(_discard_files, (event.image,))
            return
        try:
            key = await self._blobs.adopt(Path(event.image.path))
        except (OSError, ValueError, StorageError):
            log.exception("A part of job %s cannot be taken over.", event.job_id)
            return
        part_record = {"picture": key, "mark": event.mark}
        await self._jobs.record_part(event.job_id, event.attempt, worker, event.part, part_record)

    async def _on_job_finished(self, worker: str, event: JobFinished) -> None:
        in_flight_job = self._find_or_log(worker, event.job_id, event.attempt)
        if in_flight_job is None:
            await asyncio.to_thread(_discard_files, event.images + event.seams)
            return
        with self._removing_job(in_flight_job):
            try:
                images = [await self._adopt_output_file(image) for image in event.images]
                seams = [await self._adopt_output_file(image) for image in event.seams]
            except (OSError, ValueError):
                log.exception("The result of job %s cannot be taken over.", event.job_id)
                await self.requeue_job(in_flight_job, "its result could not be read")
                return
            result = {
                "pictures": images,
                "seams": seams,
                "text": event.text,
                "notes": list(event.notes),
                "seconds": event.seconds,
                "charged": event.gpu_seconds,
            }
            was_finished = await self._jobs.finish_job(
                event.job_id, event.attempt, worker, result, _to_tflop(event.flops)
            )
        if was_finished:
            await self._announce_end(event.job_id)

    async def _announce_end(self, job_id: str) -> None:
        record = await self._jobs.get_job(job_id)
        self.announcer.on_job_ended(record)
        await self.learn(record)

    async def _adopt_output_file(self, image: OutputFile) -> dict[str, Any]:
        stored_image = asdict(image)
        stored_image["key"] = await self._blobs.adopt(Path(stored_image.pop("path")))
        return stored_image

    async def _on_job_failed(self, worker: str, event: JobFailed) -> None:
        in_flight_job = self._find_or_log(worker, event.job_id, event.attempt)
        if in_flight_job is None:
            return
        if event.error_kind == "engine":
            await self.requeue_job(in_flight_job, event.reason)
            return
        with self._removing_job(in_flight_job):
            await self.save_progress(in_flight_job)
            was_failed = await self._jobs.fail_job(
                event.job_id, event.attempt, worker, event.reason
            )
        if was_failed:
            await self._announce_end(event.job_id)

    async def _on_job_dropped(self, worker: str, event: JobCancelled) -> None:
        in_flight_job = self._find_or_log(worker, event.job_id, event.attempt)
        if in_flight_job is not None:
            await self.requeue_job(in_flight_job, "The worker gave it back.", count_attempt=False)

    async def _on_worker_lost(self, event: WorkerLost) -> None:
        log.warning("%s: %s", event.worker, event.reason, extra={"action": "worker_lost"})
        for in_flight_job in self._hands.held_by(event.worker):
            await self.requeue_job(in_flight_job, event.reason)


def _to_tflop(flops: float) -> float | None:
    """Give counted operations in the unit of costs; None where nothing was counted."""
    return flops / OPERATIONS_PER_TFLOP if flops > 0 else None


def _discard_files(images: tuple[OutputFile, ...]) -> None:
    """Remove the files of a result that nobody waits for any more."""
    for image in images:
        with contextlib.suppress(OSError):
            Path(image.path).unlink()
