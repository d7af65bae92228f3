"""The workers of a cluster, spoken to through one process of this machine: the link.

The link imports Ray and may end by it; this module knows frames alone. What a worker holds is kept
here, so that nothing depends on what the link still knew. Workers outlive a link, and the bot: the
next link finds them, with what they have in hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Self

from inference.api import wire
from inference.api.commands import (
    CancelJob,
    ConfigureLink,
    EventTaken,
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
    JobsFound,
    LinkJoined,
    SearchEnded,
    SeatAttached,
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
#: A worker that no link has found again by then is lost: less than any lease lasts on a cluster.
SEARCH_SECONDS = 60.0  # seconds
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
        #: What is told of which worker, and the receipt that the link wants for it.
        self._events: asyncio.Queue[tuple[str, Event, str]] = asyncio.Queue()
        #: That of the event which was told last.
        self._due_receipt = ""
        #: Workers of the link before this one that were not found again yet, with their seats.
        self._missing_workers: dict[str, int] = {}
        #: How the link before this one ended.
        self._link_loss = Notice("worker.link_lost")
        #: Seats of which it is not known yet what they have in hand; None before a link has joined.
        self._unknown_seats: set[int] | None = None
        self._search_end: asyncio.TimerHandle | None = None
        self._held: defaultdict[str, HeldJobs] = defaultdict(HeldJobs)
        #: The seats that are open, by number, as the link last told.
        self._reports: dict[int, SeatReport] = {}
        #: Workers that are lost, or are being ended.
        self._ended_workers: set[str] = set()
        #: Why there is no link.
        self._trouble: Notice | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._begin_search()
        self._task = asyncio.create_task(self._supervise(), name="keep the link")
        return self

    async def __aexit__(self, *exception: object) -> None:
        link = self._link
        if self._search_end is not None:
            self._search_end.cancel()
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
        if not keep and worker in self._held:
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
        """Wait for the next event and the name of the worker it is about.

        Who asks for the next one has recorded what came of the last.
        """
        if self._due_receipt:
            receipt, self._due_receipt = self._due_receipt, ""
            with contextlib.suppress(NoWorker):
                await self._send(EventTaken(receipt=receipt))
        worker, event, self._due_receipt = await self._events.get()
        return worker, event

    def _tell(self, worker: str, event: Event, receipt: str = "") -> None:
        self._events.put_nowait((worker, event, receipt))

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
        self._tell(LINK_LABEL, event)
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
        self._miss_workers(reason)
        return reason

    def _handle_message(self, message: wire.Message) -> None:
        match message:
            case LinkJoined():
                self._unknown_seats = set(message.seats)
                gone = [n for n, seat in self._missing_workers.items() if seat not in message.seats]
                self._lose_workers(gone, self._link_loss)
                self._end_search_if_done()
            case SeatAttached():
                self._take_attachment(message)
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
                self._handle_event(message.worker, event, message.receipt)
            case _:
                raise WireError(f"The link sent a {type(message).__name__}.")

    def _greet(self, report: SeatReport) -> None:
        """Tell that a worker takes jobs: one that has just started, or that is found again."""
        event = WorkerReady(
            device=report.device, dtype=report.dtype, models=report.models, notes=report.notes
        )
        self._tell(report.name, event)

    def _handle_event(self, worker: str, event: Event, receipt: str) -> None:
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
        self._tell(worker, event, receipt)

    def _take_attachment(self, attached: SeatAttached) -> None:
        """Compare what a seat has in hand with what its worker was given; tell what it has."""
        found_keys: dict[str, set[tuple[str, int]]] = {attached.worker: set()}
        for job in attached.jobs:
            found_keys.setdefault(job.worker, set()).add((job.job_id, job.attempt))
        for worker, keys in found_keys.items():
            if self._missing_workers.pop(worker, None) is not None:
                for job_id, attempt in sorted(self._held[worker].keys - keys):
                    # It was on its way when the link ended, and did not arrive.
                    self._held[worker].remove_job(job_id, attempt)
                    self._tell(worker, JobCancelled(job_id=job_id, attempt=attempt))
            for key in keys:
                self._held[worker].add_job(*key)
            if keys:
                self._tell(worker, JobsFound(jobs=tuple(sorted(keys))))
        gone = [name for name, seat in self._missing_workers.items() if seat == attached.seat]
        self._lose_workers(gone, self._link_loss)
        if self._unknown_seats is not None:
            self._unknown_seats.discard(attached.seat)
        self._end_search_if_done()

    def _begin_search(self) -> None:
        if self._search_end is None:
            loop = asyncio.get_running_loop()
            self._search_end = loop.call_later(SEARCH_SECONDS, self._end_search)

    def _end_search_if_done(self) -> None:
        if self._search_end is not None and self._unknown_seats == set():
            self._end_search()

    def _end_search(self) -> None:
        """Give up every worker that was not found again."""
        if self._search_end is not None:
            self._search_end.cancel()
            self._search_end = None
        self._lose_workers(list(self._missing_workers), self._link_loss)
        self._tell(LINK_LABEL, SearchEnded())

    def _miss_workers(self, reason: Notice) -> None:
        """Note that the link is gone: its workers may be found again by the next."""
        seats = {report.name: report.seat for report in self._reports.values() if report.ready}
        self._missing_workers |= seats
        for report in self._reports.values():
            if report.name in self._held:
                self._missing_workers[report.name] = report.seat
        self._link_loss = Notice("worker.link_lost", why=reason)
        unplaced = [name for name in self._held if name not in self._missing_workers]
        self._lose_workers(unplaced, self._link_loss)
        self._reports.clear()
        self._ended_workers.clear()
        self._unknown_seats = None
        self._begin_search()

    def _lose_workers(self, workers: Iterable[str], reason: Notice) -> None:
        """Tell that workers are lost with all they held: it is nobody's fault."""
        for worker in sorted(workers):
            self._missing_workers.pop(worker, None)
            jobs = self._held.pop(worker, HeldJobs()).take_all()
            lost_event = WorkerLost(worker=worker, reason=reason, jobs=jobs, counts=False)
            self._tell(worker, lost_event)
