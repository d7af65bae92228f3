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

from bot.dispatcher.contract import Alarm, Announcer, Learn, nothing
from bot.dispatcher.hands import Hands, Held
from bot.logs import about
from bot.meter import Meter
from inference.events import (
    Dropped,
    Event,
    Failed,
    Finished,
    PartFinished,
    Picture,
    Progress,
    Ready,
    Troubled,
    WorkerLost,
    WorkerRecovered,
    WorkerResting,
)
from inference.jobs.price import TERA
from inference.service import Service
from storage.blobs import BlobStore
from storage.errors import StorageError
from storage.jobs import JobStore

log = logging.getLogger(__name__)


class Recorder:
    """Writes the workers' events into the store."""

    def __init__(
        self,
        jobs: JobStore,
        blobs: BlobStore,
        service: Service,
        hands: Hands,
        announcer: Announcer,
        lease: timedelta,
    ) -> None:
        self.announcer = announcer
        self.alarm: Alarm = log.error
        #: Who learns from jobs that came to their end; never raises.
        self.learn: Learn = nothing
        self.meter = Meter()
        self._jobs = jobs
        self._blobs = blobs
        self._service = service
        self._hands = hands
        self._lease = lease

    async def record(self, worker: str, event: Event) -> None:
        """Record one event and announce what came of it.

        Raises:
            StorageError: it could not be recorded; the lease will give the job back.
        """
        held = self._held(worker, event)
        with about(held.record) if held is not None else contextlib.nullcontext():
            await self._record(worker, event)

    def _held(self, worker: str, event: Event) -> Held | None:
        """Find the job that an event is about."""
        if isinstance(event, Progress | PartFinished | Finished | Failed | Dropped):
            return self._hands.find(worker, event.job_id, event.attempt)
        return None

    async def _record(self, worker: str, event: Event) -> None:
        match event:
            case Ready():
                log.info("%s is ready on %s (%s).", worker, event.device, event.dtype)
            case Troubled():
                log.error("%s cannot start: %s", worker, event.reason)
            case Progress():
                await self._progress(worker, event)
            case PartFinished():
                await self._part(worker, event)
            case Finished():
                await self._finished(worker, event)
            case Failed():
                await self._failed(worker, event)
            case Dropped():
                await self._dropped(worker, event)
            case WorkerLost():
                await self._lost(event)
            case WorkerResting():
                minutes = max(1, round(event.seconds / 60))
                self.alarm(
                    f"{event.worker} takes no jobs for {minutes} min: {event.reason}. Jobs wait; "
                    "then it is tried once. `python main.py doctor` looks for the cause."
                )
            case WorkerRecovered():
                self.alarm(f"{event.worker} does jobs again.")

    async def hand_back(self, held: Held, reason: str, *, count_attempt: bool = True) -> None:
        """Give a job back to the queue, or end it: out of attempts, or stopped by its member."""
        record = held.record
        with self._letting_go(held):
            await self.note(held)
            after = await self._jobs.release(
                record.id, record.attempt, held.worker, reason, count_attempt=count_attempt
            )
        if after is not None and after.state.is_terminal:
            self.announcer.settled(after)

    async def turn_away(self, held: Held, reason: str) -> None:
        """Fail a job that may no longer run; it has run no step and is charged nothing."""
        record = held.record
        with self._letting_go(held):
            ended = await self._jobs.fail(record.id, record.attempt, held.worker, reason)
        if ended:
            await self._settle(record.id)

    async def _progress(self, worker: str, event: Progress) -> None:
        held = self._hands.find(worker, event.job_id, event.attempt)
        if held is None:
            return
        self.meter.stepped(event.step - held.step, event.rows)
        held.step, held.steps, held.spent = event.step, event.steps, _tera(event.flops)
        for other in self._hands.of(worker):
            if other.due():
                await self._renew(other)
        if self._hands.find(worker, event.job_id, event.attempt) is held:
            self.announcer.progressed(held.record, event)

    async def note(self, held: Held) -> None:
        """Store how far a job is: one that ends without a result is charged for that much."""
        if held.steps is not None:
            await self._store(held)

    async def _store(self, held: Held) -> bool:
        record, step = held.record, held.step if held.steps is not None else None
        return await self._jobs.renew(
            record.id, record.attempt, held.worker, self._lease, step, held.steps, held.spent
        )

    async def _renew(self, held: Held) -> None:
        """Renew a lease: a worker that steps at all is alive for the jobs that wait in it too."""
        record = held.record
        if not await self._store(held):
            self._hands.release(record.id, record.attempt)
            await self._service.cancel(held.worker, record.id, record.attempt)

    def _known(self, worker: str, job_id: str, attempt: int) -> Held | None:
        held = self._hands.find(worker, job_id, attempt)
        if held is None:
            log.info("%s spoke of job %s, which it does not hold.", worker, job_id)
        return held

    @contextlib.contextmanager
    def _letting_go(self, held: Held) -> Iterator[None]:
        """Let go of a job only when its end is recorded: a stop waits for empty hands."""
        try:
            yield
        finally:
            self._hands.release(held.record.id, held.record.attempt)

    async def _part(self, worker: str, event: PartFinished) -> None:
        """Keep a finished part; without it the job is none the worse, only slower if it fails."""
        held = self._hands.find(worker, event.job_id, event.attempt)
        if held is None:
            await asyncio.to_thread(_discard, (event.picture,))
            return
        try:
            key = await self._blobs.adopt(Path(event.picture.path))
        except (OSError, ValueError, StorageError):
            log.exception("A part of job %s cannot be taken over.", event.job_id)
            return
        kept = {"picture": key, "mark": event.mark}
        await self._jobs.record_part(event.job_id, event.attempt, worker, event.part, kept)

    async def _finished(self, worker: str, event: Finished) -> None:
        held = self._known(worker, event.job_id, event.attempt)
        if held is None:
            await asyncio.to_thread(_discard, event.pictures + event.seams)
            return
        with self._letting_go(held):
            try:
                pictures = [await self._adopt(picture) for picture in event.pictures]
                seams = [await self._adopt(picture) for picture in event.seams]
            except (OSError, ValueError):
                log.exception("The result of job %s cannot be taken over.", event.job_id)
                await self.hand_back(held, "its result could not be read")
                return
            result = {
                "pictures": pictures,
                "seams": seams,
                "text": event.text,
                "notes": list(event.notes),
                "seconds": event.seconds,
                "charged": event.charged,
            }
            done = await self._jobs.finish(
                event.job_id, event.attempt, worker, result, _tera(event.flops)
            )
        if done:
            await self._settle(event.job_id)

    async def _settle(self, id: str) -> None:
        record = await self._jobs.get(id)
        self.announcer.settled(record)
        await self.learn(record)

    async def _adopt(self, picture: Picture) -> dict[str, Any]:
        facts = asdict(picture)
        facts["key"] = await self._blobs.adopt(Path(facts.pop("path")))
        return facts

    async def _failed(self, worker: str, event: Failed) -> None:
        held = self._known(worker, event.job_id, event.attempt)
        if held is None:
            return
        if event.fault == "engine":
            await self.hand_back(held, event.reason)
            return
        with self._letting_go(held):
            await self.note(held)
            ended = await self._jobs.fail(event.job_id, event.attempt, worker, event.reason)
        if ended:
            await self._settle(event.job_id)

    async def _dropped(self, worker: str, event: Dropped) -> None:
        held = self._known(worker, event.job_id, event.attempt)
        if held is not None:
            await self.hand_back(held, "The worker gave it back.", count_attempt=False)

    async def _lost(self, event: WorkerLost) -> None:
        log.warning("%s: %s", event.worker, event.reason, extra={"action": "worker_lost"})
        for held in self._hands.of(event.worker):
            await self.hand_back(held, event.reason)


def _tera(flops: float) -> float | None:
    """Give counted operations in the unit of costs; None where nothing was counted."""
    return flops / TERA if flops > 0 else None


def _discard(pictures: tuple[Picture, ...]) -> None:
    """Remove the files of a result that nobody waits for any more."""
    for picture in pictures:
        with contextlib.suppress(OSError):
            Path(picture.path).unlink()
