"""The way into the queue: pictures stored, a price and a time foretold, the job queued once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Mapping

from bot.dispatcher.contract import Submission
from bot.dispatcher.estimate import Estimator
from bot.dispatcher.forecast import LAST, Forecast, span
from bot.logs import tracing
from inference.jobs import KINDS, Denoising, Job
from inference.jobs.names import MAX_SEED
from inference.jobs.wordlists import WordLists
from inference.service import Service
from storage.blobs import BlobStore
from storage.errors import QueueFull, StorageError
from storage.jobs import JobStore
from storage.records import JobRecord, JobState, NewJob, QueueLimits

log = logging.getLogger(__name__)

#: Kinds of job whose cost is mostly their checkpoint's.
PAINTING = tuple(kind for kind, job in KINDS.items() if issubclass(job, Denoising))


class Reception:
    """Takes jobs into the queue, and says what is to be expected of it."""

    def __init__(
        self, jobs: JobStore, blobs: BlobStore, service: Service, limits: QueueLimits
    ) -> None:
        #: The lists that prompts may draw from; None where that is not to be checked.
        self.lists: WordLists | None = None
        #: When jobs will be ready.
        self.forecast = Forecast(service)
        self._jobs = jobs
        self._blobs = blobs
        self._service = service
        self._estimator = Estimator(blobs, service)
        self._limits = limits
        self._remembers = False
        #: Set when there may be something to claim.
        self._wake = asyncio.Event()

    async def remember(self) -> None:
        """Learn from the last jobs of earlier lives, once workers told how large theirs are."""
        if self._remembers or not any(worker.ready for worker in self._service.workers):
            return
        self._remembers = True
        for record in reversed(await self._jobs.lately_done(LAST)):
            await self._learn(record)

    async def learn(self, record: JobRecord) -> None:
        """Learn from a job that came to its end; never raises."""
        if await self._learn(record) and record.cost > 0:
            # Those that wait were thought to cost as much too much, or too little.
            factor = record.charged / record.cost
            with contextlib.suppress(StorageError):
                await self._jobs.reprice(PAINTING, record.affinity, factor)

    async def _learn(self, record: JobRecord) -> bool:
        """Learn; True when it is the first job to tell what those of its model come to."""
        try:
            self.forecast.ended(record)
            return record.state is JobState.DONE and await self._estimator.ended(record)
        except Exception:
            log.exception("Nothing was learnt from job %s.", record.id)
            return False

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
        weight: float = 1.0,
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
            weight=weight,
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
        weight: float = 1.0,
    ) -> Submission:
        """Queue a job whose pictures are stored already; see `submit`."""
        job.check_pictures(inputs)
        job = job.resolved(random.randrange(MAX_SEED))
        await self.remember()
        cost = await self._estimator.cost(job, inputs)
        new = NewJob(
            kind=job.kind,
            params=job.encode(),
            inputs=dict(inputs),
            owner=owner,
            guild=guild,
            reply_to=reply_to,
            idempotency_key=idempotency_key,
            cost=cost,
            parent=parent,
            weight=weight,
            affinity=getattr(job, "model", None),
        )
        with tracing(idempotency_key):
            record, created = await self._enqueue(new)
        self._wake.set()
        place = await self._jobs.place(record.id)
        return Submission(
            record,
            place,
            created,
            sum(worker.ready for worker in self._service.workers),
            self.forecast.asked(record, place),
            self.forecast.price(record),
        )

    async def _enqueue(self, job: NewJob) -> tuple[JobRecord, bool]:
        """Queue a job.

        Raises:
            QueueFull: says when there is room again, as far as that can be foretold.
        """
        try:
            return await self._jobs.enqueue(job, self._limits)
        except QueueFull as full:
            first = await self._jobs.first_waiting(job.owner if full.scope == "owner" else None)
            room = None if first is None else self.forecast.free(await self._jobs.place(first))
            raise full if room is None else full.until(span(room)) from None
