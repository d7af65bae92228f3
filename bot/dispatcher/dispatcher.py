"""The loops between the store and the workers: claim, submit, listen, sweep."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Mapping
from datetime import timedelta

from bot.dispatcher.claimer import Claimer
from bot.dispatcher.contract import (
    Admission,
    Alarm,
    Announcer,
    IdleWait,
    Silence,
    Submission,
    straight,
)
from bot.dispatcher.estimate import Estimator
from bot.dispatcher.hands import Hands
from bot.dispatcher.recorder import Recorder
from bot.logs import tracing
from bot.meter import Meter
from inference.jobs import KINDS, Job
from inference.jobs.names import MAX_SEED
from inference.jobs.wordlists import WordLists
from inference.service import Service
from storage.blobs import BlobStore
from storage.errors import StorageError
from storage.jobs import JobStore
from storage.records import JobRecord, JobState, NewJob, QueueLimits

log = logging.getLogger(__name__)

#: Between two looks for leases that ran out.
SWEEP_INTERVAL = 5.0  # seconds
#: Pause after the store failed, so that a full disk is not asked a thousand times a second.
STORE_PAUSE = 2.0  # seconds


class Dispatcher:
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
        self.idle_wait: IdleWait = idle_wait
        #: The lists that prompts may draw from; None where that is not to be checked.
        self.lists: WordLists | None = None
        self._jobs = jobs
        self._blobs = blobs
        self._service = service
        self._estimator = Estimator(blobs, service)
        self._limits = limits
        self._lease = lease
        self._hands = Hands()
        self._recorder = Recorder(jobs, blobs, service, self._hands, announcer or Silence(), lease)
        self._claimer = Claimer(jobs, blobs, service, self._hands, self._recorder, lease)
        self._wake = asyncio.Event()
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

    def check(self, job: Job) -> None:
        """Refuse what can be told of a job before its pictures are read.

        Raises:
            JobError: a prompt names a list that the host does not have.
        """
        if self.lists is not None:
            self.lists.check(job)

    async def submit(
        self,
        *,
        job: Job,
        pictures: Mapping[str, bytes],
        owner: str,
        guild: str | None,
        reply_to: str,
        idempotency_key: str,
        parent: str | None = None,
    ) -> Submission:
        """Store a job's pictures and queue it, once for each idempotency key.

        Raises:
            JobError: a picture is missing or of no use, or a prompt names no list of the host's.
            QueueFull: the member's, the server's or the bot's queue is full.
            StorageError: the disk or the database refused.
        """
        self.check(job)
        job.check_pictures(pictures)
        job = job.resolved(random.randrange(MAX_SEED))
        inputs = {name: await self._blobs.put(data) for name, data in pictures.items()}
        return await self.resubmit(
            job=job,
            inputs=inputs,
            owner=owner,
            guild=guild,
            reply_to=reply_to,
            idempotency_key=idempotency_key,
            parent=parent,
        )

    async def resubmit(
        self,
        *,
        job: Job,
        inputs: Mapping[str, str],
        owner: str,
        guild: str | None,
        reply_to: str,
        idempotency_key: str,
        parent: str | None = None,
    ) -> Submission:
        """Queue a job whose pictures are stored already; see `submit`."""
        job.check_pictures(inputs)
        job = job.resolved(random.randrange(MAX_SEED))
        cost = await self._estimator.cost(job, inputs)
        with tracing(idempotency_key):
            record, created = await self._jobs.enqueue(
                NewJob(
                    kind=job.kind,
                    params=job.encode(),
                    inputs=dict(inputs),
                    owner=owner,
                    guild=guild,
                    reply_to=reply_to,
                    idempotency_key=idempotency_key,
                    cost=cost,
                    parent=parent,
                    affinity=getattr(job, "model", None),
                ),
                self._limits,
            )
        self._wake.set()
        place = await self._jobs.place(record.id)
        ready = sum(worker.ready for worker in self._service.workers)
        return Submission(record, place, created, ready)

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
        if held is not None:
            await self._service.cancel(held.worker, record.id, record.attempt)
        if record.state.is_terminal:
            self.announcer.settled(record)
        self._wake.set()

    async def _pause(self, seconds: float) -> None:
        await self.idle_wait(asyncio.sleep(seconds), reason="pause")
