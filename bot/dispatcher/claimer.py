"""The way of one job from the queue to a worker that has room for it."""

from __future__ import annotations

import logging
from datetime import timedelta

from bot.dispatcher.contract import Admission, EveryJob
from bot.dispatcher.hands import Hands, Held
from bot.dispatcher.recorder import Recorder
from bot.logs import about
from bot.meter import Meter
from inference.commands import FinishedPart, Submit
from inference.errors import NoWorker
from inference.service import Service
from storage.blobs import BlobStore
from storage.jobs import JobStore
from storage.records import JobRecord

log = logging.getLogger(__name__)

#: Jobs claimed with one commit, at most.
TOGETHER = 8
#: How much longer than fair a member may wait to spare a change of checkpoint, in TFLOP: about four
#: pictures of 512 x 512 in 20 steps.
SLACK = 150.0


class Claimer:
    """Takes jobs out of the queue and hands them over."""

    def __init__(
        self,
        jobs: JobStore,
        blobs: BlobStore,
        service: Service,
        hands: Hands,
        recorder: Recorder,
        lease: timedelta,
    ) -> None:
        #: Who looks at a job once more before it runs.
        self.admission: Admission = EveryJob()
        #: Who measures.
        self.meter = Meter()
        self._jobs = jobs
        self._blobs = blobs
        self._service = service
        self._hands = hands
        self._recorder = recorder
        self._lease = lease
        #: What each worker was last given to load.
        self._near: dict[str, str | None] = {}

    async def claim(self) -> bool:
        """Give jobs to a worker; False when there is none of one or the other.

        Raises:
            StorageError: the queue cannot be asked.
        """
        worker = self._service.free_worker()
        if worker is None:
            return False
        records = await self._jobs.claim_several(
            worker, self._lease, self._most(worker), affinity=self._near.get(worker), slack=SLACK
        )
        # All are held before the first is handed over: should that fail, the others are known.
        for held in [self._hands.hold(record, worker) for record in records]:
            with about(held.record):
                await self._hand_over(held)
        if records:
            self._near = {worker: self._near[worker] for worker in self._names() & set(self._near)}
            self._near[worker] = records[-1].affinity
        return bool(records)

    def _names(self) -> set[str]:
        return {status.name for status in self._service.workers}

    def _most(self, worker: str) -> int:
        """Bound a claim: one of several workers takes one at a time, that all have work."""
        ready = [status for status in self._service.workers if status.ready]
        if len(ready) != 1:
            return 1
        return max(1, min(TOGETHER, ready[0].capacity - ready[0].held))

    async def _hand_over(self, held: Held) -> None:
        record, worker = held.record, held.worker
        if record.started_at is not None and record.attempt == 1:
            self.meter.claimed(record.started_at - record.created_at)
        refusal = await self.admission.refusal(record)
        if self._hands.find(worker, record.id, record.attempt) is not held:
            return  # called off meanwhile
        if refusal is not None:
            await self._recorder.turn_away(held, refusal)
            return
        try:
            inputs = {name: str(self._blobs.path(key)) for name, key in record.inputs.items()}
            await self._service.submit(
                worker,
                Submit(
                    job_id=record.id,
                    attempt=record.attempt,
                    kind=record.kind,
                    params=dict(record.params),
                    inputs=inputs,
                    parts=await self._finished_parts(record),
                ),
            )
        except NoWorker:
            await self._recorder.hand_back(held, "The worker was gone.", count_attempt=False)

    async def _finished_parts(self, record: JobRecord) -> tuple[FinishedPart, ...]:
        """List what earlier attempts at a job have finished."""
        if record.attempt == 1:
            return ()
        kept = await self._jobs.parts(record.id)
        if kept:
            log.info("Job %s goes on after %d finished parts.", record.id, len(kept))
        return tuple(
            FinishedPart(
                number=number, mark=part["mark"], path=str(self._blobs.path(part["picture"]))
            )
            for number, part in kept.items()
        )
