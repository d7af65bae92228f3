"""The way of one job from the queue to a worker that has room for it."""

from __future__ import annotations

import logging
from datetime import timedelta

from bot.dispatcher.contract import Admission, EveryJob
from bot.dispatcher.hands import Hands
from bot.dispatcher.recorder import Recorder
from inference.commands import FinishedPart, Submit
from inference.errors import NoWorker
from inference.service import Service
from storage.blobs import BlobStore
from storage.jobs import JobStore
from storage.records import JobRecord

log = logging.getLogger(__name__)


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
        self._jobs = jobs
        self._blobs = blobs
        self._service = service
        self._hands = hands
        self._recorder = recorder
        self._lease = lease

    async def claim_one(self) -> bool:
        """Give one job to a worker; False when there is none of one or the other.

        Raises:
            StorageError: the queue cannot be asked.
        """
        worker = self._service.free_worker()
        if worker is None:
            return False
        record = await self._jobs.claim(worker, self._lease)
        if record is None:
            return False
        held = self._hands.hold(record, worker)
        refusal = await self.admission.refusal(record)
        if self._hands.find(worker, record.id, record.attempt) is not held:
            return True  # called off meanwhile
        if refusal is not None:
            await self._recorder.turn_away(held, refusal)
            return True
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
        return True

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
