"""The loops between the store and the workers: claim, submit, listen, sweep."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import timedelta

from bot.dispatcher.claimer import JobClaimer
from bot.dispatcher.event_handler import WorkerEventHandler
from bot.dispatcher.in_flight import InFlightJobs
from bot.dispatcher.protocols import (
    ClaimGuard,
    HostAlert,
    JobListener,
    NullListener,
    WaitHook,
    plain_wait,
)
from bot.dispatcher.reception import JobEnqueuer
from bot.support.metrics import MetricsSink
from inference.api.jobs import JOB_TYPES
from inference.api.workers import WorkerPool
from storage.blobs import BlobStore
from storage.errors import StorageError
from storage.jobs import JobStore
from storage.records import JobRecord, JobState, QueueLimits

log = logging.getLogger(__name__)

#: Between two looks for leases that ran out.
SWEEP_INTERVAL = 5.0  # seconds
#: Pause after the store failed, so that a full disk is not asked a thousand times a second.
STORE_PAUSE = 2.0  # seconds


class Dispatcher(JobEnqueuer):
    """Moves jobs from the store to the workers and their results back."""

    def __init__(
        self,
        jobs: JobStore,
        blobs: BlobStore,
        service: WorkerPool,
        *,
        limits: QueueLimits,
        lease: timedelta,
        job_listener: JobListener | None = None,
        idle_wait: WaitHook = plain_wait,
    ) -> None:
        super().__init__(jobs, blobs, service, limits)
        self.idle_wait: WaitHook = idle_wait
        self._lease = lease
        self._hands = InFlightJobs()
        self._recorder = WorkerEventHandler(
            jobs, blobs, service, self._hands, job_listener or NullListener(), lease
        )
        self._recorder.learn = self.learn_from_job
        self._claimer = JobClaimer(jobs, blobs, service, self._hands, self._recorder, lease)
        self._tasks: list[asyncio.Task[None]] = []
        self._claiming = False

    @property
    def job_listener(self) -> JobListener:
        """Who tells the members."""
        return self._recorder.announcer

    @job_listener.setter
    def job_listener(self, job_listener: JobListener) -> None:
        self._recorder.announcer = job_listener

    @property
    def metrics(self) -> MetricsSink:
        """Who measures."""
        return self._claimer.meter

    @metrics.setter
    def metrics(self, metrics: MetricsSink) -> None:
        self._claimer.meter = self._recorder.meter = metrics

    @property
    def claim_guard(self) -> ClaimGuard:
        """Who looks at a job once more before it runs."""
        return self._claimer.admission

    @claim_guard.setter
    def claim_guard(self, claim_guard: ClaimGuard) -> None:
        self._claimer.admission = claim_guard

    @property
    def host_alert(self) -> HostAlert:
        """Who tells the host what a person should look at."""
        return self._recorder.alarm

    @host_alert.setter
    def host_alert(self, host_alert: HostAlert) -> None:
        self._recorder.alarm = host_alert

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
        previous_record = await self._jobs.get_job(job_id)
        in_flight_job = self._hands.find_job(
            previous_record.worker or "", previous_record.id, previous_record.attempt
        )
        if in_flight_job is not None:
            await self._recorder.save_progress(in_flight_job)
        if (
            keep
            and JOB_TYPES[previous_record.kind].supports_early_stop
            and await self._jobs.stop_job(job_id, owner)
        ):
            return await self._stop_early(job_id)
        record = await self._jobs.cancel_job(job_id, owner)
        in_flight_job = self._hands.remove_job(record.id, record.attempt)
        if in_flight_job is not None:
            await self._service.cancel_job(in_flight_job.worker, record.id, record.attempt)
        if record.state is JobState.CANCELLED and previous_record.state is not JobState.CANCELLED:
            self.job_listener.on_job_ended(record)
        self._wake.set()
        return record

    async def _stop_early(self, job_id: str) -> JobRecord:
        """Ask the worker for what it has; its answer, or its end, ends the job."""
        record = await self._jobs.get_job(job_id)
        if record.worker is not None:
            await self._service.cancel_job(record.worker, record.id, record.attempt, keep=True)
        return record

    def start(self) -> None:
        """Start claiming, listening and sweeping."""
        self._claiming = True
        loops = {
            "claim": self._claim_loop,
            "listen": self._event_loop,
            "sweep": self._lease_sweep_loop,
        }
        self._tasks = [
            asyncio.create_task(loop(), name=f"dispatcher {name}") for name, loop in loops.items()
        ]

    async def stop(self, grace: float) -> None:
        """Stop claiming, let the jobs in hand end, hand the others back.

        Args:
            grace: seconds to wait for the jobs in hand.
        """
        self._claiming = False
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hands.empty.wait(), grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for in_flight_job in self._hands.held_by():
            record = in_flight_job.record
            await self._service.cancel_job(in_flight_job.worker, record.id, record.attempt)
            await self._recorder.requeue_job(
                in_flight_job, "The bot was stopped.", count_attempt=False
            )

    async def _claim_loop(self) -> None:
        """Give work to workers for as long as there is both."""
        while self._claiming:
            self._wake.clear()
            try:
                while self._claiming and await self._claimer.claim_jobs():
                    pass
            except StorageError:
                log.exception("Claiming failed.", extra={"action": "claim_failed"})
                await self._pause_for(STORE_PAUSE)
                continue
            await self.idle_wait(self._wake.wait(), reason="queue idle")

    async def _event_loop(self) -> None:
        """Take what the workers say, one event after the other."""
        while True:
            worker, event = await self.idle_wait(
                self._service.next_event(), reason="waiting for workers"
            )
            try:
                await self._recorder.handle_event(worker, event)
            except Exception:
                # Whatever it was: a loop that ended here would leave every worker unheard.
                log.exception("An event could not be recorded.", extra={"action": "event_failed"})
                await self._pause_for(STORE_PAUSE)
            self._wake.set()

    async def _lease_sweep_loop(self) -> None:
        """Take back the jobs of workers that fell silent."""
        while True:
            await self._pause_for(SWEEP_INTERVAL)
            try:
                expired_records = await self._jobs.expire_leases()
            except StorageError:
                log.exception("Sweeping failed.", extra={"action": "sweep_failed"})
                continue
            for record in expired_records:
                await self._handle_expired_lease(record)

    async def _handle_expired_lease(self, record: JobRecord) -> None:
        log.warning("Job %s fell silent.", record.id, extra={"action": "lease_expired"})
        in_flight_job = self._hands.remove_job(record.id, record.attempt)
        if (
            in_flight_job is not None
            and in_flight_job.seconds_since_step > self._lease.total_seconds() / 2
        ):
            # Its steps renew all that it holds: it hangs, and would keep the next jobs as well.
            await self._service.kill_worker(in_flight_job.worker)
        elif in_flight_job is not None:
            # It works; what failed were the renewals, as on a full disk.
            await self._service.cancel_job(in_flight_job.worker, record.id, record.attempt)
        if record.state.is_terminal:
            self.job_listener.on_job_ended(record)
        self._wake.set()

    async def _pause_for(self, seconds: float) -> None:
        await self.idle_wait(asyncio.sleep(seconds), reason="pause")
