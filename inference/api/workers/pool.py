"""Workers as subprocesses of this one, one a device; a dead one is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field
from typing import Self

from inference.api.commands import CancelJob, SubmitJob
from inference.api.config import EngineConfig
from inference.api.errors import InferenceError, NoWorker, WireError
from inference.api.messages import (
    Event,
    JobCancelled,
    JobFailed,
    JobFinished,
    ModelInfo,
    ModelsChanged,
    ResidentModels,
    StartFailed,
    WorkerLost,
    WorkerPaused,
    WorkerReady,
    WorkerRecovered,
)
from inference.api.notices import Notice
from inference.api.workers.circuit_breaker import OPEN_SECONDS, CircuitBreaker
from inference.api.workers.held_jobs import HeldJobs
from inference.api.workers.process import WORKER_COMMAND, WorkerProcess
from inference.api.workers.protocol import WorkerStatus

log = logging.getLogger(__name__)

#: The notice of a worker that ended too often, though it had started.
RESTING = "worker.resting"


@dataclass
class _WorkerSlot:
    """The place of one worker, whoever sits there now."""

    label: str
    config: EngineConfig
    process: WorkerProcess | None = None
    ready_event: WorkerReady | None = None
    #: What it can run, or could before it ended.
    models: tuple[ModelInfo, ...] = ()
    #: Names of the checkpoints in its memory.
    resident: frozenset[str] = frozenset()
    trouble: Notice | None = None
    held_jobs: HeldJobs = field(default_factory=HeldJobs)
    #: What the worker before this one held when it ended.
    lost_jobs: tuple[tuple[str, int], ...] = ()
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)

    @property
    def is_ready(self) -> bool:
        return self.ready_event is not None and not (self.process and self.process.is_gone)

    def worker_status(self) -> WorkerStatus:
        ready_event = self.ready_event
        return WorkerStatus(
            name=self.process.name if self.process else self.label,
            ready=self.is_ready,
            held=self.held_jobs.count,
            capacity=self.config.max_jobs,
            batch=1 if self.config.deterministic else self.config.max_batch,
            device=ready_event.device if ready_event else "",
            models=self.models,
            resident=self.resident,
            notes=ready_event.notes if ready_event else (),
            trouble=self.trouble,
            is_resting=self.trouble is not None and self.trouble.code == RESTING,
        )


class LocalWorkerPool:
    """The service of one machine.

    Opened with `async with`, it keeps one process for each configuration running until closed.
    """

    def __init__(
        self,
        configs: tuple[EngineConfig, ...],
        *,
        grace_seconds: float = 20.0,
        command: tuple[str, ...] = WORKER_COMMAND,
        open_seconds: float = OPEN_SECONDS,
        label: str = "worker",
    ) -> None:
        self._slots = [
            _WorkerSlot(f"{label}{number}", config, breaker=CircuitBreaker(open_seconds))
            for number, config in enumerate(configs)
        ]
        self._grace = grace_seconds
        self._command = command
        self._events: asyncio.Queue[tuple[str, Event]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._supervise(slot), name=f"keep {slot.label}")
            for slot in self._slots
        ]
        return self

    async def __aexit__(self, *exception: object) -> None:
        processes = [slot.process for slot in self._slots if slot.process]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(process.stop(self._grace) for process in processes))

    @property
    def worker_statuses(self) -> tuple[WorkerStatus, ...]:
        """The workers that run now, ready or starting."""
        return tuple(slot.worker_status() for slot in self._slots)

    def free_worker(self) -> str | None:
        """Name the ready worker with most room, or None when all are full or none is ready."""
        free_slots = [
            slot
            for slot in self._slots
            if slot.is_ready and slot.held_jobs.count < slot.config.max_jobs
        ]
        if not free_slots:
            return None
        return min(free_slots, key=lambda slot: slot.held_jobs.count).worker_status().name

    async def submit_job(self, worker: str, submission: SubmitJob) -> None:
        """Hand a job to a worker.

        Raises:
            NoWorker: that worker is gone.
        """
        slot = self._find_slot(worker)
        if slot is None or slot.process is None:
            raise NoWorker
        key = (submission.job_id, submission.attempt)
        slot.held_jobs.add_job(*key)
        try:
            await slot.process.send_command(submission)
        except (NoWorker, WireError):
            slot.held_jobs.remove_job(*key)
            raise

    async def cancel_job(
        self, worker: str, job_id: str, attempt: int, *, keep: bool = False
    ) -> None:
        """Ask a worker to give a job up, or with `keep` to end it with what it has made."""
        slot = self._find_slot(worker)
        if slot is not None and slot.process is not None:
            if not keep:
                slot.held_jobs.cancel_job(job_id, attempt)
            with contextlib.suppress(NoWorker):
                await slot.process.send_command(
                    CancelJob(job_id=job_id, attempt=attempt, keep=keep)
                )

    async def kill_worker(self, worker: str) -> None:
        """End a worker that does nothing any more; another takes its place."""
        slot = self._find_slot(worker)
        if slot is not None and slot.process is not None:
            slot.process.kill()

    async def next_event(self) -> tuple[str, Event]:
        """Wait for the next event and the name of the worker it is about."""
        return await self._events.get()

    def _find_slot(self, worker: str) -> _WorkerSlot | None:
        for slot in self._slots:
            if slot.process is not None and slot.process.name == worker:
                return slot
        return None

    async def _supervise(self, slot: _WorkerSlot) -> None:
        """Keep one seat taken: start, listen, bury, pause, again."""
        while True:
            try:
                reason = await self._run_once(slot)
            except Exception as error:
                # An empty seat nobody notices would be worse than any error seen here.
                log.exception("Keeping %s failed.", slot.label)
                reason = Notice("worker.not_kept", error=error)
            lost_ids = [job_id for job_id, _ in slot.lost_jobs]
            pause_seconds = slot.breaker.record_failure(time.monotonic(), lost_ids)
            if pause_seconds is None:
                pause_seconds = self._pause_slot(slot, reason)
            log.warning(
                "Worker %s %s; starting again in %.1f s.",
                slot.label,
                reason,
                pause_seconds,
                extra={"action": "worker_lost"},
            )
            await asyncio.sleep(pause_seconds)

    def _pause_slot(self, slot: _WorkerSlot, reason: Notice) -> float:
        """Open the breaker of a seat; return how long it stays empty, in seconds."""
        open_seconds = slot.breaker.open_seconds
        slot.trouble = slot.trouble or Notice(RESTING, why=reason)
        self._events.put_nowait(
            (slot.label, WorkerPaused(worker=slot.label, reason=slot.trouble, seconds=open_seconds))
        )
        return open_seconds

    async def _run_once(self, slot: _WorkerSlot) -> Notice:
        """Run one worker to its end and say how it ended."""
        slot.lost_jobs = ()
        try:
            process = await WorkerProcess.start(slot.config, slot.label, self._command)
        except (OSError, InferenceError) as error:
            slot.trouble = Notice("worker.not_started", error=error)
            return slot.trouble
        slot.process = process
        try:
            async for event in process.read_events():
                self._handle_event(slot, event)
                self._events.put_nowait((process.name, event))
        except Exception as error:
            # Whatever it is: nobody hears this worker any more, so it may not live on.
            log.warning(
                "Worker %s spoke nonsense: %s",
                slot.label,
                error,
                exc_info=None if isinstance(error, WireError) else error,
            )
            process.kill()
        reason = await process.wait_ended()
        self._mark_lost(slot, process.name, reason)
        return reason

    def _handle_event(self, slot: _WorkerSlot, event: Event) -> None:
        match event:
            case WorkerReady():
                slot.ready_event, slot.models, slot.trouble = event, event.models, None
            case ModelsChanged():
                slot.models = event.models
            case ResidentModels():
                slot.resident = frozenset(event.names)
            case StartFailed():
                slot.trouble = event.reason
            case JobFinished() | JobFailed() | JobCancelled():
                slot.held_jobs.remove_job(event.job_id, event.attempt)
                if isinstance(event, JobFinished) and slot.breaker.record_success():
                    self._events.put_nowait((slot.label, WorkerRecovered(worker=slot.label)))
            case _:
                pass

    def _mark_lost(self, slot: _WorkerSlot, name: str, reason: Notice) -> None:
        slot.lost_jobs = slot.held_jobs.take_all()
        lost_event = WorkerLost(
            worker=name,
            reason=Notice("worker.lost", why=reason),
            jobs=slot.lost_jobs,
        )
        slot.process, slot.ready_event, slot.resident = None, None, frozenset()
        self._events.put_nowait((name, lost_event))
