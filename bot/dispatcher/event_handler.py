"""Jobs in flight: what the workers say becomes records, and only then announcements."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from bot.dispatcher.protocols import HostAlert, JobListener
from bot.support.logging import job_log_context
from bot.support.metrics import MetricsSink
from inference.api.jobs.price import OPERATIONS_PER_TFLOP
from inference.api.messages import (
    Event,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobProgress,
    JobsWaiting,
    OutputFile,
    PartFinished,
    StartFailed,
    WorkerLost,
    WorkerPaused,
    WorkerReady,
    WorkerRecovered,
)
from inference.api.notices import Notice
from inference.api.workers import WorkerPool
from storage.blobs import BlobStore
from storage.errors import StorageError
from storage.jobs import JobStore
from storage.records import JobRecord, LeaseRenewal


@dataclass
class InFlightJob:
    """A job and the worker that has it."""

    record: JobRecord
    worker: str
    #: How far it is, in steps.
    step: int = 0
    #: How many it has in all; None before the first.
    steps: int | None = None
    #: What it was measured to have spent, in TFLOP; None where nothing was counted.
    spent_tflop: float | None = None
    #: The same in seconds of the GPU; None before the first step.
    spent_seconds: float | None = None
    #: When its worker last said something of it, by the monotonic clock.
    heard_at: float = field(default_factory=monotonic)
    #: Whether that was after its lease was last renewed.
    is_renewal_due: bool = False

    @property
    def attempt_key(self) -> tuple[str, int]:
        """Its job's id and the attempt."""
        return self.record.id, self.record.attempt

    @property
    def silent_seconds(self) -> float:
        """Seconds since its worker last said something of it."""
        return monotonic() - self.heard_at

    def to_renewal(self) -> LeaseRenewal:
        """Say how far it is, with which its lease is renewed."""
        return LeaseRenewal(
            id=self.record.id,
            attempt=self.record.attempt,
            step=None if self.steps is None else self.step,
            steps=self.steps,
            spent=self.spent_tflop,
            spent_seconds=self.spent_seconds,
        )


class InFlightJobs:
    """Held jobs by id and attempt; a stranger's word about one counts for nothing."""

    def __init__(self) -> None:
        #: Whether jobs may be under suspicion of having ended a worker.
        self.may_have_suspects = True
        #: When each worker last said something of any job, by the monotonic clock.
        self._heard_at: dict[str, float] = {}
        #: When the leases of each worker's jobs were last renewed, by the same clock.
        self._renewed_at: dict[str, float] = {}
        self._held: dict[tuple[str, int], InFlightJob] = {}
        #: The same by worker: a busy worker's events must not cost more for what others hold.
        self._held_by: dict[str, dict[tuple[str, int], InFlightJob]] = {}
        self.empty = asyncio.Event()
        self.empty.set()

    def add_job(self, record: JobRecord, worker: str) -> InFlightJob:
        """Note that a worker takes a job."""
        self.remove_job(record.id, record.attempt)
        in_flight_job = InFlightJob(record, worker)
        self._held[in_flight_job.attempt_key] = in_flight_job
        self._held_by.setdefault(worker, {})[in_flight_job.attempt_key] = in_flight_job
        self._heard_at.setdefault(worker, monotonic())
        self._renewed_at.setdefault(worker, monotonic())
        self.empty.clear()
        return in_flight_job

    def note_word(self, in_flight_job: InFlightJob) -> None:
        """Note that a worker said something of a job."""
        in_flight_job.heard_at = self._heard_at[in_flight_job.worker] = monotonic()
        in_flight_job.is_renewal_due = True

    def take_due_renewals(self, worker: str, interval_seconds: float) -> list[InFlightJob]:
        """List the jobs that a worker spoke of since their leases were renewed, once an interval.

        They are taken to be renewed then.
        """
        current_time = monotonic()
        if current_time - self._renewed_at.get(worker, 0.0) < interval_seconds:
            return []
        self._renewed_at[worker] = current_time
        jobs = [job for job in self.held_by(worker) if job.is_renewal_due]
        for in_flight_job in jobs:
            in_flight_job.is_renewal_due = False
        return jobs

    def is_silent(self, worker: str, seconds: float) -> bool:
        """Whether a worker has said nothing for so long of any job."""
        return monotonic() - self._heard_at.get(worker, 0.0) > seconds

    def forget_worker(self, worker: str) -> None:
        """Forget when a worker that is gone was last heard."""
        self._heard_at.pop(worker, None)
        self._renewed_at.pop(worker, None)

    def find_job(self, worker: str, job_id: str, attempt: int) -> InFlightJob | None:
        """Find a job, if that worker holds that attempt of it."""
        in_flight_job = self._held.get((job_id, attempt))
        return (
            in_flight_job if in_flight_job is not None and in_flight_job.worker == worker else None
        )

    def remove_job(self, job_id: str, attempt: int) -> InFlightJob | None:
        """Let go of a job, whoever holds it."""
        in_flight_job = self._held.pop((job_id, attempt), None)
        if in_flight_job is not None:
            jobs_of_worker = self._held_by[in_flight_job.worker]
            del jobs_of_worker[in_flight_job.attempt_key]
            if not jobs_of_worker:
                del self._held_by[in_flight_job.worker]
        if not self._held:
            self.empty.set()
        return in_flight_job

    def held_by(self, worker: str | None = None) -> list[InFlightJob]:
        """List what one worker holds, or everything."""
        jobs = self._held if worker is None else self._held_by.get(worker, {})
        return list(jobs.values())


log = logging.getLogger(__name__)

JobEvent = JobProgress | PartFinished | JobFinished | JobFailed | JobCancelled


class WorkerEventHandler:
    """Writes the workers' events into the store."""

    def __init__(
        self,
        jobs: JobStore,
        blobs: BlobStore,
        service: WorkerPool,
        in_flight: InFlightJobs,
        *,
        lease: timedelta,
        renew_seconds: float,
        listeners: Sequence[JobListener],
        learn_from_job: Callable[[JobRecord], Awaitable[None]],
        host_alert: HostAlert,
        metrics: MetricsSink,
    ) -> None:
        self._jobs = jobs
        self._blobs = blobs
        self._service = service
        self._in_flight = in_flight
        self._lease = lease
        self._renew_seconds = renew_seconds
        self._listeners = listeners
        #: Learns from a job that came to its end; never raises.
        self._learn_from_job = learn_from_job
        self._host_alert = host_alert
        self._metrics = metrics

    async def handle_event(self, worker: str, event: Event) -> None:
        """Record one event and announce what came of it.

        Raises:
            StorageError: it could not be recorded; the lease will give the job back.
        """
        match event:
            case JobProgress() | PartFinished() | JobFinished() | JobFailed() | JobCancelled():
                in_flight_job = self._in_flight.find_job(worker, event.job_id, event.attempt)
                if in_flight_job is None:
                    await self._pass_over(worker, event)
                    return
                with job_log_context(in_flight_job.record):
                    await self._handle_job_event(in_flight_job, event)
            case JobsWaiting():
                await self._on_jobs_waiting(worker, event)
            case WorkerReady():
                log.info("%s is ready on %s (%s).", worker, event.device, event.dtype)
                for note in event.notes:
                    log.warning("%s: %s", worker, note)
            case StartFailed():
                log.error("%s cannot start: %s", worker, event.reason)
            case WorkerLost():
                log.warning("%s: %s", event.worker, event.reason, extra={"action": "worker_lost"})
                await self.take_back_jobs(
                    event.worker, event.jobs, event.reason, count_attempts=event.counts
                )
                self._in_flight.forget_worker(event.worker)
            case WorkerPaused():
                minutes = max(1, round(event.seconds / 60))
                self._host_alert(
                    f"{event.worker} takes no jobs for {minutes} min: {event.reason}. Jobs wait; "
                    "then it is tried once. `easel doctor` looks for the cause."
                )
            case WorkerRecovered():
                self._host_alert(f"{event.worker} does jobs again.")

    async def _handle_job_event(self, in_flight_job: InFlightJob, event: JobEvent) -> None:
        match event:
            case JobProgress():
                await self._on_progress(in_flight_job, event)
            case PartFinished():
                await self._on_part_finished(in_flight_job, event)
            case JobFinished():
                await self._on_job_finished(in_flight_job, event)
            case JobFailed():
                await self._on_job_failed(in_flight_job, event)
            case JobCancelled():
                reason = Notice("job.returned")
                await self.requeue_job(in_flight_job, reason, count_attempt=False)

    async def _pass_over(self, worker: str, event: JobEvent) -> None:
        """Leave an event about a job that the worker no longer holds, and the files it brings."""
        match event:
            case JobFinished():
                await asyncio.to_thread(self._discard_files, event.images + event.seams)
            case PartFinished():
                await asyncio.to_thread(self._discard_files, (event.image,))
        if not isinstance(event, JobProgress | PartFinished):
            log.info("%s spoke of job %s, which it does not hold.", worker, event.job_id)

    async def requeue_job(
        self, in_flight_job: InFlightJob, reason: Notice, *, count_attempt: bool = True
    ) -> None:
        """Give a job back to the queue, or end it: out of attempts, or stopped by its member."""
        record = in_flight_job.record
        with self._removing_job(in_flight_job):
            await self.save_progress(in_flight_job.worker, [in_flight_job])
            released_record = await self._jobs.queue.release_job(
                record.id,
                record.attempt,
                in_flight_job.worker,
                reason.to_json(),
                count_attempt=count_attempt,
            )
        if released_record is not None and released_record.state.is_terminal:
            self.announce_end(released_record)

    async def reject_job(self, in_flight_job: InFlightJob, reason: str) -> None:
        """Fail a job that may no longer run; it has run no step and is charged nothing."""
        record = in_flight_job.record
        with self._removing_job(in_flight_job):
            failed_record = await self._jobs.queue.fail_job(
                record.id, record.attempt, in_flight_job.worker, reason
            )
        if failed_record is not None:
            await self._announce_and_learn(failed_record)

    async def _on_progress(self, in_flight_job: InFlightJob, event: JobProgress) -> None:
        self._metrics.record_steps(event.step - in_flight_job.step, event.rows)
        in_flight_job.step, in_flight_job.steps, in_flight_job.spent_tflop = (
            event.step,
            event.steps,
            _to_tflop(event.flops),
        )
        in_flight_job.spent_seconds = event.gpu_seconds
        self._in_flight.note_word(in_flight_job)
        worker = in_flight_job.worker
        await self._renew_due_leases(worker)
        if self._in_flight.find_job(worker, event.job_id, event.attempt) is in_flight_job:
            for listener in self._listeners:
                listener.on_progress(in_flight_job.record, event)

    async def _on_jobs_waiting(self, worker: str, event: JobsWaiting) -> None:
        for job_id, attempt in event.jobs:
            in_flight_job = self._in_flight.find_job(worker, job_id, attempt)
            if in_flight_job is not None:
                self._in_flight.note_word(in_flight_job)
        await self._renew_due_leases(worker)

    async def _renew_due_leases(self, worker: str) -> None:
        """Renew, when that is due, the leases of all jobs that a worker has spoken of since."""
        jobs = self._in_flight.take_due_renewals(worker, self._renew_seconds)
        if not jobs:
            return
        try:
            await self.renew_leases(worker, jobs)
        except StorageError as error:
            # A sweep renews them again before they lose anything by this.
            log.warning("%d leases could not be renewed: %s", len(jobs), error)

    async def save_progress(self, worker: str, jobs: Iterable[InFlightJob]) -> None:
        """Store how far jobs are: one that ends without a result is charged for that much."""
        renewals = [job.to_renewal() for job in jobs if job.steps is not None]
        if renewals:
            await self._jobs.queue.renew_leases(worker, self._lease, renewals)

    async def renew_leases(self, worker: str, jobs: Collection[InFlightJob]) -> None:
        """Renew leases; a job that is no longer its worker's is taken from it."""
        renewals = [job.to_renewal() for job in jobs]
        renewed_attempts = await self._jobs.queue.renew_leases(worker, self._lease, renewals)
        for in_flight_job in jobs:
            if in_flight_job.attempt_key not in renewed_attempts:
                self._in_flight.remove_job(*in_flight_job.attempt_key)
                await self._service.cancel_job(worker, *in_flight_job.attempt_key)

    @contextlib.contextmanager
    def _removing_job(self, in_flight_job: InFlightJob) -> Iterator[None]:
        """Let go of a job only when its end is recorded: a stop waits for empty hands."""
        try:
            yield
        finally:
            self._in_flight.remove_job(in_flight_job.record.id, in_flight_job.record.attempt)

    async def _on_part_finished(self, in_flight_job: InFlightJob, event: PartFinished) -> None:
        """Keep a finished part; without it the job is none the worse, only slower if it fails."""
        try:
            key = await self._blobs.adopt(Path(event.image.path))
        except (OSError, ValueError, StorageError):
            log.exception("A part of job %s cannot be taken over.", event.job_id)
            return
        part_record = {"picture": key, "mark": event.mark}
        await self._jobs.queue.record_part(
            event.job_id, event.attempt, in_flight_job.worker, event.part, part_record
        )

    async def _on_job_finished(self, in_flight_job: InFlightJob, event: JobFinished) -> None:
        with self._removing_job(in_flight_job):
            try:
                images = [await self._adopt_output_file(image) for image in event.images]
                seams = [await self._adopt_output_file(image) for image in event.seams]
            except (OSError, ValueError):
                log.exception("The result of job %s cannot be taken over.", event.job_id)
                await asyncio.to_thread(self._discard_files, event.images + event.seams)
                await self.requeue_job(in_flight_job, Notice("job.result_unreadable"))
                return
            result = {
                "pictures": images,
                "seams": seams,
                "text": event.text,
                "phrases": [asdict(phrase) for phrase in event.phrases],
                "notes": [note.to_json() for note in event.notes],
                "seconds": event.seconds,
                "charged": event.gpu_seconds,
            }
            finished_record = await self._jobs.queue.finish_job(
                event.job_id, event.attempt, in_flight_job.worker, result, _to_tflop(event.flops)
            )
        if finished_record is not None:
            await self._announce_and_learn(finished_record)

    def announce_end(self, record: JobRecord) -> None:
        """Tell every listener that a job is over."""
        for listener in self._listeners:
            listener.on_job_ended(record)

    async def _announce_and_learn(self, record: JobRecord) -> None:
        self.announce_end(record)
        await self._learn_from_job(record)

    async def _adopt_output_file(self, image: OutputFile) -> dict[str, Any]:
        stored_image = asdict(image)
        del stored_image["copies"]
        stored_image["key"] = await self._blobs.adopt(Path(stored_image.pop("path")))
        for copy in image.copies:
            stored_copy = asdict(copy)
            try:
                stored_copy["key"] = await self._blobs.adopt(Path(stored_copy.pop("path")))
            except (OSError, ValueError) as error:
                log.warning("A copy to show cannot be taken over: %s", error)
            else:
                stored_image["copy"] = stored_copy
        return stored_image

    def _discard_files(self, images: Iterable[OutputFile]) -> None:
        """Remove the files of a result that nobody waits for any more."""
        for image in images:
            for path in (image.path, *(copy.path for copy in image.copies)):
                self._blobs.outbox.discard_file(Path(path))

    async def _on_job_failed(self, in_flight_job: InFlightJob, event: JobFailed) -> None:
        if event.error_kind == "engine":
            await self.requeue_job(in_flight_job, event.reason)
            return
        with self._removing_job(in_flight_job):
            await self.save_progress(in_flight_job.worker, [in_flight_job])
            failed_record = await self._jobs.queue.fail_job(
                event.job_id, event.attempt, in_flight_job.worker, event.reason.to_text()
            )
        if failed_record is not None:
            await self._announce_and_learn(failed_record)

    async def take_back_jobs(
        self,
        worker: str,
        attempts: Collection[tuple[str, int]],
        reason: Notice,
        *,
        count_attempts: bool = True,
    ) -> None:
        """Take back what a worker held when it ended or hung; see `release_lost` of the queue.

        What it was only being handed goes back as if never claimed.
        """
        held_jobs = self._in_flight.held_by(worker)
        self._in_flight.may_have_suspects = True
        try:
            await self.save_progress(worker, held_jobs)
            records = await self._jobs.queue.release_lost(
                worker, attempts, reason.to_json(), count_attempts=count_attempts
            )
        finally:
            self._in_flight.may_have_suspects = True  # whatever was asked meanwhile
            for in_flight_job in held_jobs:
                if in_flight_job.attempt_key in attempts:
                    self._in_flight.remove_job(*in_flight_job.attempt_key)
        for in_flight_job in held_jobs:
            if in_flight_job.attempt_key not in attempts:
                await self.requeue_job(in_flight_job, reason, count_attempt=False)
        for record in records:
            if record.state.is_terminal:
                self.announce_end(record)


def _to_tflop(flops: float) -> float | None:
    """Give counted operations in the unit of costs; None where nothing was counted."""
    return flops / OPERATIONS_PER_TFLOP if flops > 0 else None
