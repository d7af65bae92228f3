"""Workers as subprocesses of this one, one a device; a dead one is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field
from typing import Self

from inference.commands import Cancel, Submit
from inference.config import EngineConfig
from inference.errors import InferenceError, NoWorker, WireError
from inference.events import (
    Dropped,
    Event,
    Failed,
    Finished,
    Ready,
    Troubled,
    WorkerLost,
    WorkerRecovered,
    WorkerResting,
)
from inference.service.breaker import REST, Breaker
from inference.service.contract import WorkerStatus
from inference.service.process import COMMAND, WorkerProcess

log = logging.getLogger(__name__)


@dataclass
class _Seat:
    """The place of one worker, whoever sits there now."""

    label: str
    config: EngineConfig
    process: WorkerProcess | None = None
    ready: Ready | None = None
    trouble: str = ""
    held: set[tuple[str, int]] = field(default_factory=set)
    breaker: Breaker = field(default_factory=Breaker)

    def status(self) -> WorkerStatus:
        ready = self.ready
        return WorkerStatus(
            name=self.process.name if self.process else self.label,
            ready=ready is not None,
            held=len(self.held),
            capacity=self.config.max_jobs,
            device=ready.device if ready else "",
            models=ready.models if ready else (),
            notes=ready.notes if ready else (),
            trouble=self.trouble,
        )


class LocalService:
    """The service of one machine.

    Opened with `async with`, it keeps one process for each configuration running until closed.
    """

    def __init__(
        self,
        configs: tuple[EngineConfig, ...],
        *,
        grace: float = 20.0,
        command: tuple[str, ...] = COMMAND,
        rest: float = REST,
    ) -> None:
        self._seats = [
            _Seat(f"worker{number}", config, breaker=Breaker(rest))
            for number, config in enumerate(configs)
        ]
        self._grace = grace
        self._command = command
        self._events: asyncio.Queue[tuple[str, Event]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._keep(seat), name=f"keep {seat.label}") for seat in self._seats
        ]
        return self

    async def __aexit__(self, *exception: object) -> None:
        processes = [seat.process for seat in self._seats if seat.process]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(process.stop(self._grace) for process in processes))

    @property
    def workers(self) -> tuple[WorkerStatus, ...]:
        """The workers that run now, ready or starting."""
        return tuple(seat.status() for seat in self._seats)

    def free_worker(self) -> str | None:
        """Name the ready worker with most room, or None when all are full or none is ready."""
        free = [
            seat for seat in self._seats if seat.ready and len(seat.held) < seat.config.max_jobs
        ]
        if not free:
            return None
        return min(free, key=lambda seat: len(seat.held)).status().name

    async def submit(self, worker: str, submission: Submit) -> None:
        """Hand a job to a worker.

        Raises:
            NoWorker: that worker is gone.
        """
        seat = self._seat(worker)
        if seat is None or seat.process is None:
            raise NoWorker
        key = (submission.job_id, submission.attempt)
        seat.held.add(key)
        try:
            await seat.process.send(submission)
        except NoWorker:
            seat.held.discard(key)
            raise

    async def cancel(self, worker: str, job_id: str, attempt: int, *, keep: bool = False) -> None:
        """Ask a worker to give a job up, or with `keep` to end it with what it has made."""
        seat = self._seat(worker)
        if seat is not None and seat.process is not None:
            with contextlib.suppress(NoWorker):
                await seat.process.send(Cancel(job_id=job_id, attempt=attempt, keep=keep))

    async def kill(self, worker: str) -> None:
        """End a worker that does nothing any more; another takes its place."""
        seat = self._seat(worker)
        if seat is not None and seat.process is not None:
            seat.process.kill()

    async def next_event(self) -> tuple[str, Event]:
        """Wait for the next event and the name of the worker it is about."""
        return await self._events.get()

    def _seat(self, worker: str) -> _Seat | None:
        for seat in self._seats:
            if seat.process is not None and seat.process.name == worker:
                return seat
        return None

    async def _keep(self, seat: _Seat) -> None:
        """Keep one seat taken: start, listen, bury, pause, again."""
        while True:
            try:
                reason = await self._live(seat)
            except Exception as error:
                # An empty seat nobody notices would be worse than any error seen here.
                log.exception("Keeping %s failed.", seat.label)
                reason = f"could not be kept: {error}"
            pause = seat.breaker.died(time.monotonic())
            if pause is None:
                pause = self._rest(seat, reason)
            log.warning(
                "Worker %s %s; starting again in %.1f s.",
                seat.label,
                reason,
                pause,
                extra={"action": "worker_lost"},
            )
            await asyncio.sleep(pause)

    def _rest(self, seat: _Seat, reason: str) -> float:
        """Open the breaker of a seat; return how long it stays empty, in seconds."""
        rest = seat.breaker.rest
        seat.trouble = seat.trouble or f"it keeps ending (the last time it {reason}) and rests"
        self._events.put_nowait(
            (seat.label, WorkerResting(worker=seat.label, reason=seat.trouble, seconds=rest))
        )
        return rest

    async def _live(self, seat: _Seat) -> str:
        """Run one worker to its end and say how it ended."""
        try:
            process = await WorkerProcess.start(seat.config, seat.label, self._command)
        except (OSError, InferenceError) as error:
            seat.trouble = f"could not be started: {error}"
            return seat.trouble
        seat.process = process
        try:
            async for event in process.events():
                self._note(seat, event)
                self._events.put_nowait((process.name, event))
        except WireError as error:
            log.warning("Worker %s spoke nonsense: %s", seat.label, error)
            process.kill()
        reason = await process.ended()
        self._bury(seat, process.name, reason)
        return reason

    def _note(self, seat: _Seat, event: Event) -> None:
        match event:
            case Ready():
                seat.ready, seat.trouble = event, ""
            case Troubled():
                seat.trouble = event.reason
            case Finished() | Failed() | Dropped():
                seat.held.discard((event.job_id, event.attempt))
                if isinstance(event, Finished) and seat.breaker.worked():
                    self._events.put_nowait((seat.label, WorkerRecovered(worker=seat.label)))
            case _:
                pass

    def _bury(self, seat: _Seat, name: str, reason: str) -> None:
        lost = WorkerLost(
            worker=name, reason=f"The worker {reason}.", jobs=tuple(sorted(seat.held))
        )
        seat.process, seat.ready = None, None
        seat.held.clear()
        self._events.put_nowait((name, lost))
