"""From a request to its record: jobs are queued, claimed, handed to workers and listened for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from datetime import timedelta

from bot.dispatcher.adoption import JobAdoption
from bot.dispatcher.claimer import JobClaimer
from bot.dispatcher.estimation import MAX_LEARNED_JOBS, CostEstimator, EtaEstimator, format_range
from bot.dispatcher.event_handler import InFlightJob, InFlightJobs, WorkerEventHandler
from bot.dispatcher.protocols import (
    CheckedJob,
    ClaimGuard,
    DispatcherTiming,
    DisplayLimitReader,
    HostAlert,
    JobListener,
    SubmitResult,
    WaitHook,
    plain_wait,
    shown_nowhere,
)
from bot.dispatcher.worker_models import WorkerModels
from bot.support.logging import request_log_context
from bot.support.loops import LoopHealth
from bot.support.metrics import MetricsSink
from inference.api.jobs import JOB_TYPES, DenoisingJob, Job
from inference.api.jobs.limits import JobLimits
from inference.api.jobs.wordlists import WordLists
from inference.api.messages import (
    Event,
    JobProgress,
    JobsFound,
    JobsWaiting,
    PartFinished,
    SearchEnded,
)
from inference.api.notices import Notice
from inference.api.workers import WorkerPool
from storage.blobs import BlobStore
from storage.errors import QueueFull, StorageError
from storage.jobs import JobStore
from storage.jobs.guild_load import LoadCheck
from storage.records import JobRecord, JobState, NewJob, QueueLimits

log = logging.getLogger(__name__)

#: Kinds of job whose cost is mostly their checkpoint's.
DENOISING_KINDS = tuple(kind for kind, job in JOB_TYPES.items() if issubclass(job, DenoisingJob))
#: After these no worker has more room than before: steps come far too often to ask for jobs then.
UNFINISHED_EVENTS = JobProgress | JobsWaiting | PartFinished
LEASE_EXPIRED = {"action": "lease_expired"}


class Dispatcher:
    """Takes jobs into the queue, moves them to the workers and their results back.

    Args:
        jobs: the store of jobs.
        blobs: the store of images.
        service: the workers.
        limits: bounds of the queue.
        lease: how long a job may go without a step.
        wordlists: the lists that prompts may draw from; None where that is not checked.
        job_limits: how much one job may ask for.
        claim_guard: looks at a job once more before it runs.
        host_alert: tells the host what a person should look at.
        metrics: measures, where the host asked for it.
        health: keeps the loops going and says which of them fail.
        timing: how often it looks and writes.
        display_limits: tells what the place takes where a result is shown.
        orphans: id, attempt and worker of the jobs that ran when the bot ended last and may have
            gone on; None where workers end with the bot.
    """

    def __init__(
        self,
        jobs: JobStore,
        blobs: BlobStore,
        service: WorkerPool,
        *,
        limits: QueueLimits,
        lease: timedelta,
        wordlists: WordLists | None = None,
        job_limits: JobLimits = JobLimits(),  # noqa: B008 - frozen
        claim_guard: ClaimGuard | None = None,
        host_alert: HostAlert = log.error,
        metrics: MetricsSink | None = None,
        health: LoopHealth | None = None,
        timing: DispatcherTiming = DispatcherTiming(),  # noqa: B008 - frozen
        display_limits: DisplayLimitReader = shown_nowhere,
        orphans: Collection[tuple[str, int, str]] | None = None,
    ) -> None:
        #: When jobs will be ready.
        self.eta = EtaEstimator(service)
        self._jobs, self._blobs, self._service = jobs, blobs, service
        self._limits, self._lease = limits, lease
        self._wordlists, self._job_limits = wordlists, job_limits
        self._timing = timing
        self._health = health or LoopHealth()
        self._host_alert = host_alert
        self._costs = CostEstimator(blobs, service)
        self._has_history = False
        self._listeners: list[JobListener] = []
        metrics = metrics or MetricsSink()
        self._in_flight = InFlightJobs()
        self._event_handler = self._build_event_handler(metrics)
        self._models = models = WorkerModels(service, host_alert)
        in_flight, handler = self._in_flight, self._event_handler
        self._claimer = JobClaimer(
            jobs, blobs, service, in_flight, handler, lease, claim_guard, metrics, models
        )
        self._claimer.display_limits = display_limits
        self._workers_stay = orphans is not None
        self._adoption = JobAdoption(jobs, service, in_flight, handler, orphans or ())
        self._tasks: list[asyncio.Task[None]] = []
        self._claiming = False
        #: Set when there may be something to claim.
        self._wake = asyncio.Event()

    def _build_event_handler(self, metrics: MetricsSink) -> WorkerEventHandler:
        return WorkerEventHandler(
            self._jobs,
            self._blobs,
            self._service,
            self._in_flight,
            lease=self._lease,
            renew_seconds=self._timing.renew_seconds,
            listeners=self._listeners,
            learn_from_job=self._learn_from_job,
            host_alert=self._host_alert,
            metrics=metrics,
        )

    def subscribe(self, listener: JobListener) -> None:
        """Tell a listener, too, how jobs go."""
        self._listeners.append(listener)

    # Into the queue.

    async def _learn_from_history(self) -> None:
        """Learn from the last jobs of earlier lives, once workers told how large theirs are."""
        if self._has_history or not any(worker.ready for worker in self._service.worker_statuses):
            return
        self._has_history = True
        for record in reversed(await self._jobs.reader.recently_finished(MAX_LEARNED_JOBS)):
            await self._update_estimates(record)

    async def _learn_from_job(self, record: JobRecord) -> None:
        """Learn from a job that came to its end; never raises."""
        if await self._update_estimates(record) and record.cost > 0:
            # Those that wait were thought to cost as much too much, or too little.
            factor = record.charged / record.cost
            with contextlib.suppress(StorageError):
                await self._jobs.queue.reprice_waiting(DENOISING_KINDS, record.affinity, factor)

    async def _update_estimates(self, record: JobRecord) -> bool:
        """Learn; True when it is the first job to tell what those of its model come to."""
        try:
            self.eta.learn_from(record)
            return record.state is JobState.DONE and await self._costs.learn_from(record)
        except Exception:
            log.exception("Nothing was learnt from job %s.", record.id)
            return False

    def check_job(self, job: Job, images: Mapping[str, object]) -> CheckedJob:
        """Refuse what can be told of a job before its pictures are read, and draw its seed.

        Raises:
            JobError: a picture is missing or of no use, a prompt names a list that the host does
                not have, or is too dear; lists that the drawn seed names count, too.
        """
        job = job.with_drawn_seed()
        job.check_images(images)
        self._job_limits.check_job(job)
        if self._wordlists is not None:
            self._wordlists.check_mentions(job)
        return CheckedJob(job)

    async def submit_job(
        self,
        *,
        job: CheckedJob,
        images: Mapping[str, bytes],
        owner: str,
        guild: str | None,
        reply_to: str,
        idempotency_key: str,
        parent: str | None = None,
        weight: float = 1.0,
        check_load: LoadCheck | None = None,
    ) -> SubmitResult:
        """Store a job's pictures and queue it, once for each idempotency key.

        Raises:
            JobError: with its pictures it is more work than the host allows.
            QueueFull: the member's, the server's or the bot's queue is full.
            StorageError: the disk or the database refused.
            Exception: whatever `check_load` raises, which sees the queue as it is then.
        """
        await self._learn_from_history()
        cost = self._price_job(job, images.get("image"))
        async with self._blobs.put_all(images) as inputs:
            new_job = NewJob(
                kind=job.kind,
                params=job.to_params(),
                inputs=inputs,
                owner=owner,
                guild=guild,
                reply_to=reply_to,
                idempotency_key=idempotency_key,
                cost=cost,
                parent=parent,
                weight=weight,
                affinity=getattr(job, "model", None),
            )
            with request_log_context(idempotency_key):
                record, was_created = await self._enqueue_job(new_job, check_load)
        self._wake.set()
        return await self._describe_submission(record, was_created)

    async def _describe_submission(self, record: JobRecord, was_created: bool) -> SubmitResult:
        place = await self._jobs.reader.queue_position(record.id)
        return SubmitResult(
            record,
            place,
            was_created,
            sum(worker.ready for worker in self._service.worker_statuses),
            self.eta.forecast_new_job(record, place),
            self.eta.job_gpu_seconds(record),
            self.missing_notice(record),
        )

    def missing_notice(self, record: JobRecord) -> Notice | None:
        """Say which models a waiting job waits for; None where it waits for its turn alone."""
        if record.state is not JobState.QUEUED:
            return None
        return self._models.missing_notice(record)

    def _price_job(self, job: Job, image: bytes | None) -> float:
        """Price a job, in TFLOP.

        Raises:
            JobError: it is more work than the host allows.
        """
        cost = self._costs.job_cost(job, image)
        self._job_limits.check_cost(cost)
        return cost

    async def _enqueue_job(
        self, job: NewJob, check_load: LoadCheck | None
    ) -> tuple[JobRecord, bool]:
        """Queue a job.

        Raises:
            QueueFull: says when there is room again, as far as that can be foretold.
        """
        try:
            job = replace(job, forecast_seconds=self.eta.job_forecast(job))
            return await self._jobs.queue.enqueue(job, self._limits, check_load)
        except QueueFull as full:
            first_job_id = await self._jobs.reader.first_waiting(
                job.owner if full.scope == "owner" else None
            )
            free_range = (
                None
                if first_job_id is None
                else self.eta.expected_free(await self._jobs.reader.queue_position(first_job_id))
            )
            raise full if free_range is None else full.with_wait(format_range(free_range)) from None

    # Out of the queue, and back.

    async def cancel_job(self, job_id: str, owner: str | None, *, keep: bool = False) -> JobRecord:
        """Cancel a job in whatever state; one that is over stays as it is.

        Args:
            job_id: the job.
            owner: whose it must be; None for those who may cancel anyone's.
            keep: whether a running job that can show what it has made so far shall end with
                that; it goes on running until then. Asked for twice, it is cancelled at once.

        Raises:
            UnknownJob: there is none of that id and owner.
        """
        previous_record = await self._jobs.reader.get_job(job_id)
        in_flight_job = self._in_flight.find_job(
            previous_record.worker or "", previous_record.id, previous_record.attempt
        )
        if in_flight_job is not None:
            await self._event_handler.save_progress(in_flight_job.worker, [in_flight_job])
        if (
            keep
            and JOB_TYPES[previous_record.kind].supports_early_stop
            and await self._jobs.queue.stop_job(job_id, owner)
        ):
            return await self._stop_early(job_id)
        record = await self._jobs.queue.cancel_job(job_id, owner)
        in_flight_job = self._in_flight.remove_job(record.id, record.attempt)
        if in_flight_job is not None:
            await self._service.cancel_job(in_flight_job.worker, record.id, record.attempt)
        if record.state is JobState.CANCELLED and previous_record.state is not JobState.CANCELLED:
            self._event_handler.announce_end(record)
        self._wake.set()
        return record

    async def _stop_early(self, job_id: str) -> JobRecord:
        """Ask the worker for what it has; its answer, or its end, ends the job."""
        record = await self._jobs.reader.get_job(job_id)
        if record.worker is not None:
            await self._service.cancel_job(record.worker, record.id, record.attempt, keep=True)
        return record

    def start(self, idle_wait: WaitHook = plain_wait) -> None:
        """Start claiming, listening and sweeping; `idle_wait` awaits what may never come."""
        self._idle_wait = idle_wait
        self._claiming = True
        loops = {
            "claim": self._claim_jobs,
            "event": self._handle_events,
            "sweep": self._sweep_round,
        }
        self._tasks = [
            asyncio.create_task(self._run_loop(name, work), name=f"dispatcher {name}")
            for name, work in loops.items()
        ]

    async def _run_loop(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        await self._health.run_loop(
            name,
            work,
            lambda: self._pause_for(self._timing.store_pause_seconds),
            goes_on=lambda: self._claiming or name != "claim",
            alert=self._host_alert,
        )

    async def stop(self, grace: float) -> None:
        """Stop claiming, let the jobs in hand end, hand the others back.

        Workers that do not end with the bot keep them, for its next life.

        Args:
            grace: seconds to wait for the jobs in hand.
        """
        self._claiming = False
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._in_flight.empty.wait(), grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for in_flight_job in [] if self._workers_stay else self._in_flight.held_by():
            await self._hand_back(in_flight_job)

    async def _hand_back(self, in_flight_job: InFlightJob) -> None:
        """Give a job back at a stop; one that cannot be comes back at the next start."""
        record = in_flight_job.record
        try:
            await self._service.cancel_job(in_flight_job.worker, record.id, record.attempt)
            await self._event_handler.requeue_job(
                in_flight_job, Notice("job.bot_stopped"), count_attempt=False
            )
        except Exception:
            log.exception("Job %s could not be handed back.", record.id)

    async def _claim_jobs(self) -> None:
        """Give work to workers for as long as there is both, and wait for more."""
        while self._claiming:
            self._wake.clear()
            while self._claiming and await self._claimer.claim_jobs():
                pass
            if not self._claiming or "claim" in self._health.failing:
                return
            await self._idle_wait(self._wake.wait(), reason="queue idle")

    async def _handle_events(self) -> None:
        """Take what the workers say, one event after the other."""
        while True:
            worker, event = await self._idle_wait(
                self._service.next_event(), reason="waiting for workers"
            )
            try:
                await self._handle_event(worker, event)
            finally:
                if not isinstance(event, UNFINISHED_EVENTS):
                    self._wake.set()
            if "event" in self._health.failing:
                return

    async def _handle_event(self, worker: str, event: Event) -> None:
        match event:
            case JobsFound():
                await self._adoption.take_found(worker, event)
            case SearchEnded():
                await self._adoption.give_back_rest()
            case _:
                await self._event_handler.handle_event(worker, event)

    async def _sweep_round(self) -> None:
        """Look once, after a while, for jobs that no worker says anything of."""
        await self._pause_for(self._timing.sweep_seconds)
        await self._sweep_leases()

    async def _sweep_leases(self) -> None:
        """Take back the jobs that no worker has said anything of for the length of a lease."""
        silent_workers: set[str] = set()
        for job_id, attempt, worker in await self._jobs.queue.list_expired():
            in_flight_job = self._in_flight.find_job(worker, job_id, attempt)
            if in_flight_job is None:
                continue
            if in_flight_job.silent_seconds < self._lease.total_seconds():
                # Its worker works; what failed were the renewals, as on a full disk.
                await self._event_handler.renew_leases(worker, [in_flight_job])
            elif self._in_flight.is_silent(worker, self._lease.total_seconds() / 2):
                silent_workers.add(worker)
            else:
                await self._take_from_worker(in_flight_job)
        for worker in silent_workers:
            await self._end_silent_worker(worker)
        held_attempts = {job.attempt_key for job in self._in_flight.held_by()}
        for record in await self._jobs.queue.expire_leases(spared=held_attempts):
            self._handle_expired_lease(record)

    async def _end_silent_worker(self, worker: str) -> None:
        """End a worker that hangs: it would keep its jobs, and the next ones as well."""
        jobs = [job.attempt_key for job in self._in_flight.held_by(worker)]
        log.warning("%s fell silent with %d jobs.", worker, len(jobs), extra=LEASE_EXPIRED)
        await self._service.kill_worker(worker)
        await self._event_handler.take_back_jobs(worker, jobs, Notice("job.stalled"))
        self._wake.set()

    async def _take_from_worker(self, in_flight_job: InFlightJob) -> None:
        """Take a job from a worker that works, but says nothing of it."""
        record = in_flight_job.record
        log.warning("Job %s fell silent.", record.id, extra=LEASE_EXPIRED)
        await self._event_handler.requeue_job(in_flight_job, Notice("job.stalled"))
        await self._service.cancel_job(in_flight_job.worker, record.id, record.attempt)
        self._wake.set()

    def _handle_expired_lease(self, record: JobRecord) -> None:
        """Note that a job was taken back of which nobody here knew any more."""
        log.warning("Job %s fell silent.", record.id, extra=LEASE_EXPIRED)
        self._in_flight.may_have_suspects = True
        if record.state.is_terminal:
            self._event_handler.announce_end(record)
        self._wake.set()

    async def _pause_for(self, seconds: float) -> None:
        await self._idle_wait(asyncio.sleep(seconds), reason="pause")
