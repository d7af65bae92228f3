"""The way into the queue: pictures stored, a price and a time foretold, the job queued once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Mapping

from bot.dispatcher.estimate import CostEstimator
from bot.dispatcher.estimation import MAX_LEARNED_JOBS, EtaEstimator, format_range
from bot.dispatcher.protocols import SubmitResult
from bot.support.logging import request_log_context
from inference.api.jobs import JOB_TYPES, DenoisingJob, Job
from inference.api.jobs.names import MAX_SEED
from inference.api.jobs.wordlists import WordLists
from inference.api.workers import WorkerPool
from storage.blobs import BlobStore
from storage.errors import QueueFull, StorageError
from storage.jobs import JobStore
from storage.records import JobRecord, JobState, NewJob, QueueLimits

log = logging.getLogger(__name__)

#: Kinds of job whose cost is mostly their checkpoint's.
DENOISING_KINDS = tuple(kind for kind, job in JOB_TYPES.items() if issubclass(job, DenoisingJob))


class JobEnqueuer:
    """Takes jobs into the queue, and says what is to be expected of it."""

    def __init__(
        self, jobs: JobStore, blobs: BlobStore, service: WorkerPool, limits: QueueLimits
    ) -> None:
        #: The lists that prompts may draw from; None where that is not to be checked.
        self.lists: WordLists | None = None
        #: When jobs will be ready.
        self.forecast = EtaEstimator(service)
        self._jobs = jobs
        self._blobs = blobs
        self._service = service
        self._estimator = CostEstimator(blobs, service)
        self._limits = limits
        self._remembers = False
        #: Set when there may be something to claim.
        self._wake = asyncio.Event()

    async def learn_from_history(self) -> None:
        """Learn from the last jobs of earlier lives, once workers told how large theirs are."""
        if self._remembers or not any(worker.ready for worker in self._service.worker_statuses):
            return
        self._remembers = True
        for record in reversed(await self._jobs.recently_finished(MAX_LEARNED_JOBS)):
            await self._update_estimates(record)

    async def learn_from_job(self, record: JobRecord) -> None:
        """Learn from a job that came to its end; never raises."""
        if await self._update_estimates(record) and record.cost > 0:
            # Those that wait were thought to cost as much too much, or too little.
            factor = record.charged / record.cost
            with contextlib.suppress(StorageError):
                await self._jobs.reprice_waiting(DENOISING_KINDS, record.affinity, factor)

    async def _update_estimates(self, record: JobRecord) -> bool:
        """Learn; True when it is the first job to tell what those of its model come to."""
        try:
            self.forecast.learn_from(record)
            return record.state is JobState.DONE and await self._estimator.learn_from(record)
        except Exception:
            log.exception("Nothing was learnt from job %s.", record.id)
            return False

    def check_wordlists(self, job: Job) -> None:
        """Refuse what can be told of a job before its pictures are read.

        Raises:
            JobError: a prompt names a list that the host does not have.
        """
        if self.lists is not None:
            self.lists.check_mentions(job)

    async def submit_job(
        self,
        *,
        job: Job,
        images: Mapping[str, bytes],
        owner: str,
        guild: str | None,
        reply_to: str,
        idempotency_key: str,
        parent: str | None = None,
        weight: float = 1.0,
    ) -> SubmitResult:
        """Store a job's pictures and queue it, once for each idempotency key.

        Raises:
            JobError: a picture is missing or of no use, or a prompt names no list of the host's.
            QueueFull: the member's, the server's or the bot's queue is full.
            StorageError: the disk or the database refused.
        """
        self.check_wordlists(job)
        job.check_images(images)
        job = job.with_seed(random.randrange(MAX_SEED))
        inputs = {name: await self._blobs.put(data) for name, data in images.items()}
        return await self.submit_stored_job(
            job=job,
            inputs=inputs,
            owner=owner,
            guild=guild,
            reply_to=reply_to,
            idempotency_key=idempotency_key,
            parent=parent,
            weight=weight,
        )

    async def submit_stored_job(
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
    ) -> SubmitResult:
        """Queue a job whose pictures are stored already; see `submit`."""
        job.check_images(inputs)
        job = job.with_seed(random.randrange(MAX_SEED))
        await self.learn_from_history()
        cost = await self._estimator.job_cost(job, inputs)
        new_job = NewJob(
            kind=job.kind,
            params=job.to_params(),
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
        with request_log_context(idempotency_key):
            record, was_created = await self._enqueue_job(new_job)
        self._wake.set()
        place = await self._jobs.queue_position(record.id)
        return SubmitResult(
            record,
            place,
            was_created,
            sum(worker.ready for worker in self._service.worker_statuses),
            self.forecast.forecast_new_job(record, place),
            self.forecast.job_gpu_seconds(record),
        )

    async def _enqueue_job(self, job: NewJob) -> tuple[JobRecord, bool]:
        """Queue a job.

        Raises:
            QueueFull: says when there is room again, as far as that can be foretold.
        """
        try:
            return await self._jobs.enqueue(job, self._limits)
        except QueueFull as full:
            first_job_id = await self._jobs.first_waiting(
                job.owner if full.scope == "owner" else None
            )
            free_range = (
                None
                if first_job_id is None
                else self.forecast.expected_free(await self._jobs.queue_position(first_job_id))
            )
            raise full if free_range is None else full.with_wait(format_range(free_range)) from None
