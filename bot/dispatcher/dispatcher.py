"""The loops between the store and the workers: claim, submit, listen, sweep."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import timedelta

from bot.dispatcher.claimer import Claimer
from bot.dispatcher.contract import (
    Admission,
    Alarm,
    Announcer,
    IdleWait,
    Silence,
    straight,
)
from bot.dispatcher.hands import Hands
from bot.dispatcher.reception import Reception
from bot.dispatcher.recorder import Recorder
from bot.meter import Meter
from inference.jobs import KINDS
from inference.service import Service
from storage.blobs import BlobStore
from storage.errors import StorageError
from storage.jobs import JobStore
from storage.records import JobRecord, JobState, QueueLimits

log = logging.getLogger(__name__)

#: Between two looks for leases that ran out.
SWEEP_INTERVAL = 5.0  # seconds
#: Pause after the store failed, so that a full disk is not asked a thousand times a second.
STORE_PAUSE = 2.0  # seconds


class Dispatcher(Reception):
    """Moves jobs from the store to the workers and their results back."""

    def __init__(
        self,
        jobs: JobStore,
        blobs: BlobStore,
        service: Service,
        *,
        limits: QueueLimits,
        lease: timedelta,
        announcer: Announcer | None = None,
        idle_wait: IdleWait = straight,
    ) -> None:
        super().__init__(jobs, blobs, service, limits)
        self.idle_wait: IdleWait = idle_wait
        self._lease = lease
        self._hands = Hands()
        self._recorder = Recorder(jobs, blobs, service, self._hands, announcer or Silence(), lease)
        self._recorder.learn = self.learn
        self._claimer = Claimer(jobs, blobs, service, self._hands, self._recorder, lease)
        self._tasks: list[asyncio.Task[None]] = []
        self._claiming = False

    @property
    def announcer(self) -> Announcer:
        """Who tells the members."""
        return self._recorder.announcer

    @announcer.setter
    def announcer(self, announcer: Announcer) -> None:
        self._recorder.announcer = announcer

    @property
    def meter(self) -> Meter:
        """Who measures."""
        return self._claimer.meter

    @meter.setter
    def meter(self, meter: Meter) -> None:
        self._claimer.meter = self._recorder.meter = meter

    @property
    def admission(self) -> Admission:
        """Who looks at a job once more before it runs."""
        return self._claimer.admission

    @admission.setter
    def admission(self, admission: Admission) -> None:
        self._claimer.admission = admission

    @property
    def alarm(self) -> Alarm:
        """Who tells the host what a person should look at."""
        return self._recorder.alarm

    @alarm.setter
    def alarm(self, alarm: Alarm) -> None:
        self._recorder.alarm = alarm

    async def cancel(self, job_id: str, owner: str | None, *, keep: bool = False) -> JobRecord:
        """Cancel a job in whatever state; one that is over stays as it is.

        Args:
            job_id: the job.
            owner: whose it must be; None for those who may cancel anyone's.
            keep: whether a running job that can show what it has made so far shall end with
                that; it goes on running until then. Asked for twice, it is cancelled at once.

        Raises:
            UnknownJob: there is none of that id and owner.
        """
        before = await self._jobs.get(job_id)
        held = self._hands.find(before.worker or "", before.id, before.attempt)
        if held is not None:
            await self._recorder.note(held)
        if keep and KINDS[before.kind].keeps and await self._jobs.stop(job_id, owner):
            return await self._stop(job_id)
        record = await self._jobs.cancel(job_id, owner)
        held = self._hands.release(record.id, record.attempt)
        if held is not None:
            await self._service.cancel(held.worker, record.id, record.attempt)
        if record.state is JobState.CANCELLED and before.state is not JobState.CANCELLED:
            self.announcer.settled(record)
        self._wake.set()
        return record

    async def _stop(self, job_id: str) -> JobRecord:
        """Ask the worker for what it has; its answer, or its end, ends the job."""
        record = await self._jobs.get(job_id)
        if record.worker is not None:
            await self._service.cancel(record.worker, record.id, record.attempt, keep=True)
        return record

    def start(self) -> None:
        """Start claiming, listening and sweeping."""
        self._claiming = True
        loops = {"claim": self._claim, "listen": self._listen, "sweep": self._sweep}
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
        for held in self._hands.of():
            record = held.record
            await self._service.cancel(held.worker, record.id, record.attempt)
            await self._recorder.hand_back(held, "The bot was stopped.", count_attempt=False)

    async def _claim(self) -> None:
        """Give work to workers for as long as there is both."""
        while self._claiming:
            self._wake.clear()
            try:
                while self._claiming and await self._claimer.claim():
                    pass
            except StorageError:
                log.exception("Claiming failed.", extra={"action": "claim_failed"})
                await self._pause(STORE_PAUSE)
                continue
            await self.idle_wait(self._wake.wait(), reason="queue idle")

    async def _listen(self) -> None:
        """Take what the workers say, one event after the other."""
        while True:
            worker, event = await self.idle_wait(
                self._service.next_event(), reason="waiting for workers"
            )
            try:
                await self._recorder.record(worker, event)
            except Exception:
                # Whatever it was: a loop that ended here would leave every worker unheard.
                log.exception("An event could not be recorded.", extra={"action": "event_failed"})
                await self._pause(STORE_PAUSE)
            self._wake.set()

    async def _sweep(self) -> None:
        """Take back the jobs of workers that fell silent."""
        while True:
            await self._pause(SWEEP_INTERVAL)
            try:
                expired = await self._jobs.expire()
            except StorageError:
                log.exception("Sweeping failed.", extra={"action": "sweep_failed"})
                continue
            for record in expired:
                await self._expired(record)

    async def _expired(self, record: JobRecord) -> None:
        log.warning("Job %s fell silent.", record.id, extra={"action": "lease_expired"})
        held = self._hands.release(record.id, record.attempt)
        if held is not None and held.silent > self._lease.total_seconds() / 2:
            # Its steps renew all that it holds: it hangs, and would keep the next jobs as well.
            await self._service.kill(held.worker)
        elif held is not None:
            # It works; what failed were the renewals, as on a full disk.
            await self._service.cancel(held.worker, record.id, record.attempt)
        if record.state.is_terminal:
            self.announcer.settled(record)
        self._wake.set()

    async def _pause(self, seconds: float) -> None:
        await self.idle_wait(asyncio.sleep(seconds), reason="pause")
