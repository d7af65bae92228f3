"""The workers of a cluster, spoken to through one process of this machine: the link.

The link imports Ray and may end by it; this module knows frames alone. What a worker holds is kept
here, so that nothing depends on what the link still knew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from dataclasses import replace
from typing import Self

from inference.api import wire
from inference.api.commands import (
    CancelJob,
    ConfigureLink,
    ExpectWork,
    KillWorker,
    SubmitJob,
    WorkerCommand,
)
from inference.api.errors import InferenceError, NoWorker, WireError
from inference.api.messages import (
    Event,
    JobCancelled,
    JobFailed,
    JobFinished,
    SeatClosed,
    SeatReport,
    StartFailed,
    WorkerEvent,
    WorkerLost,
    WorkerPaused,
    WorkerReady,
)
from inference.api.notices import Notice
from inference.api.workers.circuit_breaker import CircuitBreaker
from inference.api.workers.environment import module_command
from inference.api.workers.held_jobs import HeldJobs
from inference.api.workers.process import WorkerProcess
from inference.api.workers.protocol import WorkerStatus

log = logging.getLogger(__name__)

LINK_COMMAND = module_command("inference.cluster")
LINK_LABEL = "cluster"
#: The notices of a machine without Ray, and of a cluster that is not there or lets nobody in.
NOT_INSTALLED, NOT_JOINED = "cluster.not_installed", "cluster.not_joined"
#: Between two tries to join a cluster.
REJOIN_SECONDS = 10.0  # seconds
#: A worker that was to be ended and is not lost by then: the link itself does nothing any more.
KILL_CONFIRM_SECONDS = 60.0  # seconds


class RemoteWorkerPool:
    """The service of a cluster; opened with `async with`, it keeps a link running until closed."""

    def __init__(
        self,
        config: ConfigureLink,
        *,
        command: tuple[str, ...] = LINK_COMMAND,
        grace_seconds: float = 5.0,
    ) -> None:
        self._config = config
        self._command = command
        self._grace = grace_seconds
        self._link: WorkerProcess | None = None
        self._breaker = CircuitBreaker(config.rest_seconds)
        self._events: asyncio.Queue[tuple[str, Event]] = asyncio.Queue()
        self._held: defaultdict[str, HeldJobs] = defaultdict(HeldJobs)
        #: The seats that are open, by number, as the link last told.
        self._reports: dict[int, SeatReport] = {}
        #: Workers that are lost, or are being ended.
        self._ended_workers: set[str] = set()
        #: Why there is no link.
        self._trouble: Notice | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._supervise(), name="keep the link")
        return self

    async def __aexit__(self, *exception: object) -> None:
        link = self._link
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if link is not None:
            await link.stop(self._grace)

    @property
    def worker_statuses(self) -> tuple[WorkerStatus, ...]:
        """The workers that run now, ready or starting."""
        if not self._reports:
            return tuple(map(self._absent_status, range(max(1, self._config.min_seats))))
        return tuple(self._worker_status(self._reports[seat]) for seat in sorted(self._reports))

    def free_worker(self) -> str | None:
        """Name the ready worker with most room, or None when all are full or none is ready."""
        free = [s for s in self.worker_statuses if s.ready and s.held < s.capacity]
        return min(free, key=lambda status: status.held).name if free else None

    async def submit_job(self, worker: str, submission: SubmitJob) -> None:
        """Hand a job to a worker.

        Raises:
            NoWorker: that worker is gone, or says nothing.
            WireError: the job fits no frame.
        """
        if not any(status.name == worker and status.ready for status in self.worker_statuses):
            raise NoWorker
        held_jobs = self._held[worker]
        held_jobs.add_job(submission.job_id, submission.attempt)
        try:
            await self._send(WorkerCommand(worker=worker, command=wire.to_fields(submission)))
        except (NoWorker, WireError):
            held_jobs.remove_job(submission.job_id, submission.attempt)
            raise

    async def cancel_job(
        self, worker: str, job_id: str, attempt: int, *, keep: bool = False
    ) -> None:
        """Ask a worker to give a job up, or with `keep` to end it with what it has made."""
        if worker not in self._held:
            return
        if not keep:
            self._held[worker].cancel_job(job_id, attempt)
        command = wire.to_fields(CancelJob(job_id=job_id, attempt=attempt, keep=keep))
        with contextlib.suppress(NoWorker):
            await self._send(WorkerCommand(worker=worker, command=command))

    async def kill_worker(self, worker: str) -> None:
        """End a worker that does nothing any more; another takes its place."""
        if all(report.name != worker for report in self._reports.values()):
            return
        self._ended_workers.add(worker)
        with contextlib.suppress(NoWorker):
            await self._send(KillWorker(worker=worker))
        asyncio.get_running_loop().call_later(KILL_CONFIRM_SECONDS, self._end_deaf_link, worker)

    async def expect_work(self, seconds: float) -> None:
        """Say how many GPU-seconds of work wait for each worker: more workers may be worth it."""
        with contextlib.suppress(NoWorker):
            await self._send(ExpectWork(seconds=seconds))

    async def next_event(self) -> tuple[str, Event]:
        """Wait for the next event and the name of the worker it is about."""
        return await self._events.get()

    async def _send(self, message: wire.Message) -> None:
        if self._link is None:
            raise NoWorker
        await self._link.send_command(message)

    def _end_deaf_link(self, worker: str) -> None:
        """End the link where it did not end a worker that it was told to."""
        if self._link is not None and any(r.name == worker for r in self._reports.values()):
            log.warning("The link did not end %s and is ended itself.", worker)
            self._link.kill()

    def _worker_status(self, report: SeatReport) -> WorkerStatus:
        is_usable = report.name not in self._ended_workers and self._link is not None
        return WorkerStatus(
            name=report.name,
            ready=report.ready and is_usable,
            held=self._held[report.name].count if report.name in self._held else 0,
            capacity=report.capacity,
            batch=report.batch,
            node=report.node,
            device=report.device,
            models=report.models,
            resident=frozenset(report.resident),
            notes=report.notes,
            trouble=next(iter(report.troubles), None),
            is_resting=report.is_resting,
        )

    def _absent_status(self, seat: int) -> WorkerStatus:
        config = self._config.config
        return WorkerStatus(
            name=f"{LINK_LABEL}/seat{seat}",
            ready=False,
            held=0,
            capacity=config.max_jobs,
            trouble=self._trouble,
            is_resting=self._trouble is not None and self._trouble.code != NOT_INSTALLED,
        )

    async def _supervise(self) -> None:
        """Keep a link running: start, listen, bury, pause, again."""
        while True:
            try:
                reason = await self._run_once()
            except Exception as error:
                log.exception("Keeping the link failed.")
                reason = Notice("worker.not_kept", error=error)
            pause_seconds = self._pause_seconds(reason)
            log.warning("The link %s; starting again in %.1f s.", reason, pause_seconds)
            await asyncio.sleep(pause_seconds)

    def _pause_seconds(self, reason: Notice) -> float:
        """Say how long to wait for the next link: a head that is away may come back at any time."""
        if self._trouble is not None and self._trouble.code == NOT_JOINED:
            return REJOIN_SECONDS
        pause_seconds = self._breaker.record_failure(time.monotonic())
        if pause_seconds is not None:
            return pause_seconds
        self._trouble = self._trouble or Notice("worker.resting", why=reason)
        open_seconds = self._breaker.open_seconds
        event = WorkerPaused(worker=LINK_LABEL, reason=self._trouble, seconds=open_seconds)
        self._events.put_nowait((LINK_LABEL, event))
        return open_seconds

    async def _run_once(self) -> Notice:
        """Run one link to its end and say how it ended."""
        try:
            link = await WorkerProcess.start_link(self._config, LINK_LABEL, self._command)
        except (OSError, InferenceError) as error:
            self._trouble = Notice("worker.not_started", error=error)
            return self._trouble
        self._link = link
        try:
            async for message in link.read_messages():
                self._handle_message(message)
        except Exception as error:
            log.warning("The link spoke nonsense: %r", error)
            link.kill()
        reason = await link.wait_ended()
        self._link = None
        self._lose_workers(reason)
        return reason

    def _handle_message(self, message: wire.Message) -> None:
        match message:
            case SeatReport():
                was_ready_as = {r.name for r in self._reports.values() if r.ready}
                self._reports[message.seat] = message
                if message.ready and message.name not in was_ready_as:
                    self._greet(message)
                self._ended_workers &= {report.name for report in self._reports.values()}
                self._trouble = None
            case SeatClosed():
                self._reports.pop(message.seat, None)
            case WorkerEvent():
                event = wire.from_fields(message.event)
                if not isinstance(event, Event):
                    raise WireError(f"A worker sent a {type(event).__name__}.")
                self._handle_event(message.worker, event)
            case _:
                raise WireError(f"The link sent a {type(message).__name__}.")

    def _greet(self, report: SeatReport) -> None:
        """Tell that a worker takes jobs: one that has just started, or that is found again."""
        event = WorkerReady(
            device=report.device, dtype=report.dtype, models=report.models, notes=report.notes
        )
        self._events.put_nowait((report.name, event))

    def _handle_event(self, worker: str, event: Event) -> None:
        match event:
            case JobFinished() | JobFailed() | JobCancelled() if worker in self._held:
                self._held[worker].remove_job(event.job_id, event.attempt)
                if isinstance(event, JobFinished):
                    self._breaker.record_success()
            case WorkerReady():
                return  # the seat's report tells it, also of a worker that was ready before
            case StartFailed() if worker == LINK_LABEL:
                if self._trouble == event.reason:
                    return  # told before; it is tried again and again
                self._trouble = event.reason
            case WorkerLost():
                jobs = self._held.pop(worker, HeldJobs()).take_all()
                self._ended_workers.add(worker)
                # Of a process that ended, its node knows best what it had; of a node, nobody does.
                event = event if event.counts else replace(event, jobs=jobs)
            case _:
                pass
        self._events.put_nowait((worker, event))

    def _lose_workers(self, reason: Notice) -> None:
        """Tell what is lost with the link: it is nobody's fault."""
        workers = {report.name for report in self._reports.values() if report.ready}
        for worker in sorted(workers | set(self._held)):
            lost_event = WorkerLost(
                worker=worker,
                reason=Notice("worker.link_lost", why=reason),
                jobs=self._held.pop(worker, HeldJobs()).take_all(),
                counts=False,
            )
            self._events.put_nowait((worker, lost_event))
        self._reports.clear()
        self._ended_workers.clear()
