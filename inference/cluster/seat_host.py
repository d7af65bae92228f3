"""On a node: one worker, kept by a pool of today's kind, for a link that may come and go."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from inference.api import wire
from inference.api.commands import CancelJob, ConfigureLink, SubmitJob
from inference.api.errors import NoWorker, WireError
from inference.api.messages import (
    Event,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobProgress,
    ModelInfo,
    PartFinished,
    SeatReport,
    WorkerLost,
    WorkerReady,
)
from inference.api.notices import Notice
from inference.api.version import find_version
from inference.api.workers import LocalWorkerPool
from inference.api.workers.process import WORKER_COMMAND
from inference.cluster.event_log import EventLog, LoggedEvent
from inference.cluster.nodes.drain import SeatDrain
from inference.cluster.nodes.files import join_name, read_at, store_lists, write_at

log = logging.getLogger(__name__)

#: How long `listen` waits for something to say.
LISTEN_SECONDS = 5.0  # seconds
#: A preview beyond it is left out.
MAX_PREVIEW_BYTES = 256 * 2**10  # bytes
#: Where no link has listened for so long, the seat is given up: its bot is gone.
ABANDON_SECONDS = 600.0  # seconds
#: Jobs that are known again where a call comes twice.
MAX_KNOWN_JOBS = 4096
#: Below a node's folder.
INBOX_FOLDER, OUTBOX_FOLDER, LISTS_FOLDER = "inbox", "outbox", "wordlists"
#: The answers of `take_job`.
TAKEN, WORKER_GONE, STALE_SESSION = "taken", "worker gone", "stale session"

JobKey = tuple[str, int]
#: Worker, job id, attempt.
FoundJob = tuple[str, str, int]
#: Number, worker, frame without its header, bytes of the preview it names.
ListenEntry = tuple[int, str, bytes, bytes]


class SeatHost:
    """Runs one worker; every method is called from afar, and takes and gives plain values only.

    A call may come twice, since its answer may be lost on the way: none does harm by it. Each link
    has a session of its own; one that a later link took the place of is told so. Jobs and what was
    not heard of them stay for the next.
    """

    def __init__(
        self,
        seat: int,
        node: str,
        folder: Path,
        *,
        on_abandoned: Callable[[], None],
        version: str = "",
    ) -> None:
        self._label = f"{node}/seat{seat}-"
        self._node = node
        self._seat = seat
        self._version = version or find_version()
        self._folder = folder
        self._inbox = folder / INBOX_FOLDER / f"seat{seat}"
        self._outbox = folder / OUTBOX_FOLDER / f"seat{seat}"
        #: Word lists, which are the bot's.
        self._lists = folder / LISTS_FOLDER / f"seat{seat}"
        self._on_abandoned = on_abandoned
        #: Why nothing can run here, for people.
        self.problem = ""
        self._session = ""
        self._configuration = b""
        self._pool: LocalWorkerPool | None = None
        self._pool_lock = asyncio.Lock()
        self._drain = SeatDrain(folder, seat)
        #: Whether there is no worker since the seat is to take nothing new.
        self._is_drained = False
        #: What the worker that ended by it could run.
        self._models: tuple[ModelInfo, ...] = ()
        #: What the worker that was ready last computes in.
        self._dtype = ""
        self._log = EventLog()
        #: The jobs in hand by id and attempt, with the worker and the files of each.
        self._jobs: dict[JobKey, tuple[str, list[Path]]] = {}
        #: Jobs of late: one that is handed over again is not run again.
        self._known_keys: dict[JobKey, None] = {}
        self._listened_at = time.monotonic()
        self._tasks: list[asyncio.Task[None]] = []

    async def describe(self) -> str:
        """Say, as JSON, which Easel this is: read before anything else is asked."""
        return json.dumps(
            {
                "node": self._node,
                "version": self._version,
                "wire": wire.compute_digest(),
                "problem": self.problem,
                "state": self._name_state(),
                "now": time.time(),
            }
        )

    async def attach(self, session: str, configuration: bytes) -> tuple[bytes, list[FoundJob]]:
        """Serve a new link from now on; tell it how the worker is and which jobs are here.

        A worker that runs already goes on with its jobs, unless it must run otherwise. What nobody
        has taken is said again.
        """
        self._listened_at = time.monotonic()
        is_new = session != self._session
        self._session = session
        async with self._pool_lock:
            if not is_new and self._serves(session):
                pass
            elif self._pool is None and self._drain.is_asked:
                self._configuration = configuration
                self._rest_drained()
            elif self._pool is None or configuration != self._configuration:
                await self._open_pool(configuration)
        if not self._serves(session):
            return b"", []
        found_jobs = self._list_found()
        if is_new:
            # Of a job that is not here any more, what was asked before counts no longer.
            self._known_keys = dict.fromkeys((id, attempt) for _, id, attempt in found_jobs)
        return self._report(), found_jobs

    def _list_found(self) -> list[FoundJob]:
        """List the jobs in hand, and those whose end was not taken."""
        found_jobs = {key: worker for key, (worker, _) in self._jobs.items()}
        for entry in self._log.entries:
            for key in _ended_keys(entry.event):
                found_jobs.setdefault(key, entry.worker)
        return [(worker, *key) for key, worker in found_jobs.items()]

    async def listen(
        self, session: str, seen_number: int, taken_number: int
    ) -> tuple[bytes, list[ListenEntry]]:
        """Give what was said beyond `seen_number`, and how the worker is.

        What has a number up to `taken_number` has arrived: it and its files are removed. Nothing
        but an empty report is given to a link that another took the place of.
        """
        if not self._serves(session):
            return b"", []
        self._listened_at = time.monotonic()
        self._discard(self._log.take_until(taken_number))
        entries = await self._log.wait_beyond(seen_number, LISTEN_SECONDS)
        self._listened_at = time.monotonic()
        if self._serves(session):
            await self._follow_drain()
        if not self._serves(session):
            return b"", []
        return self._report(), [_to_entry(entry) for entry in entries]

    async def write_piece(self, session: str, name: str, offset: int, data: bytes) -> str:
        """Write a piece of a job's file into the inbox; return what went wrong, else nothing."""
        if session != self._session:
            return STALE_SESSION
        try:
            await asyncio.to_thread(write_at, join_name(self._inbox, name), offset, data)
        except OSError as error:
            with contextlib.suppress(OSError):
                join_name(self._inbox, name).unlink()
            return str(error)
        return ""

    async def write_lists(self, session: str, lists: dict[str, bytes], names: list[str]) -> str:
        """Write word lists, and remove all but `names`; return what went wrong, else nothing."""
        if session != self._session:
            return STALE_SESSION
        try:
            await asyncio.to_thread(store_lists, self._lists, lists, names)
        except OSError as error:
            return str(error)
        return ""

    async def read_piece(self, session: str, name: str, offset: int) -> bytes:
        """Read a piece of a finished file; an empty one at its end.

        Raises:
            OSError: there is no such file.
        """
        return await asyncio.to_thread(read_at, join_name(self._outbox, name), offset)

    async def take_job(self, session: str, worker: str, frame: bytes) -> str:
        """Hand a job to the worker; its files are those of the inbox that it names.

        While the seat is drained the job is given back, as one that was called off.
        """
        if not self._serves(session):
            return STALE_SESSION
        submission = wire.decode_message(frame)
        if not isinstance(submission, SubmitJob):
            raise WireError(f"A link submitted a {type(submission).__name__}.")
        key = (submission.job_id, submission.attempt)
        if key in self._known_keys:
            return TAKEN
        self._known_keys[key] = None
        if len(self._known_keys) > MAX_KNOWN_JOBS:
            del self._known_keys[next(iter(self._known_keys))]
        submission, paths = self._locate_files(submission)
        self._jobs[key] = (worker, paths)
        if self._pool is None or self._drain.is_asked:
            self._forget_job(key)
            self._log.add_event(worker, JobCancelled(job_id=key[0], attempt=key[1]))
            return TAKEN
        try:
            await self._pool.submit_job(worker, submission)
        except NoWorker:
            self._forget_job(key)
            return WORKER_GONE
        return TAKEN

    async def give_up_job(self, session: str, worker: str, frame: bytes) -> None:
        """Ask the worker to give a job up, or to end it with what it has."""
        command = wire.decode_message(frame)
        if session == self._session and self._pool and isinstance(command, CancelJob):
            await self._pool.cancel_job(worker, command.job_id, command.attempt, keep=command.keep)

    async def replace_worker(self, session: str, worker: str) -> None:
        """End a worker that does nothing any more; another takes its place."""
        if session == self._session and self._pool:
            await self._pool.kill_worker(worker)

    async def end_worker(self, session: str) -> None:
        """End the worker, which this link has no more use for."""
        if session == self._session:
            await self._close_pool()

    async def ask_drain(self, is_asked: bool) -> str:
        """Take nothing new, or anything again; return what went wrong, else nothing."""
        try:
            self._drain.ask_drain(is_asked)
        except OSError as error:
            return str(error)
        return ""

    def _serves(self, session: str) -> bool:
        """Whether a link is the one that has the seat."""
        return session == self._session and (self._pool is not None or self._is_drained)

    async def _follow_drain(self) -> None:
        """End the worker of a seat that is to be drained once nothing is in hand or on its way."""
        async with self._pool_lock:
            if self._is_drained and not self._drain.is_asked:
                await self._open_pool(self._configuration)
            elif self._pool is not None and self._drain.is_asked and self._is_idle:
                (status,) = self._pool.worker_statuses
                self._models = status.models
                await self._close_pool()
                self._rest_drained()

    @property
    def _is_idle(self) -> bool:
        """Whether nothing is in hand, and no word of what was is on its way."""
        return not self._jobs and not self._log.has_entries

    def _rest_drained(self) -> None:
        """Keep the place without a worker, so that no other takes it."""
        self._is_drained = True
        self._tasks = [asyncio.create_task(self._watch_listener(), name="watch the listener")]
        log.info("Seat %d is drained: its worker has ended.", self._seat)

    def _name_state(self) -> str:
        """Name what the seat does, for people."""
        if self._is_drained:
            return "drained"
        if self._drain.is_asked and self._pool is not None:
            return f"draining, {len(self._jobs)} jobs in hand"
        is_ready = self._pool is not None and self._pool.worker_statuses[0].ready
        return f"ready, {len(self._jobs)} jobs in hand" if is_ready else "starting"

    async def _open_pool(self, configuration: bytes) -> None:
        await self._close_pool()
        message = wire.decode_message(configuration)
        if not isinstance(message, ConfigureLink):
            raise WireError(f"A link sent a {type(message).__name__} first.")
        self._log.take_until(self._log.last_number)
        for folder in (self._inbox, self._outbox):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, mode=0o700)
        config = replace(
            message.config,
            models_dir=str(self._folder / "models"),
            wordlists_dir=str(self._lists.resolve()),
            cache_dir=str(self._folder / "cache"),
            outbox=str(self._outbox.resolve()),
        )
        command = message.worker_command or WORKER_COMMAND
        pool = LocalWorkerPool(
            (config,),
            label=self._label,
            grace_seconds=0,
            command=command,
            open_seconds=message.rest_seconds,
        )
        self._drain.note_worker(True)
        self._pool = await pool.__aenter__()
        self._configuration = configuration
        self._tasks = [
            asyncio.create_task(self._hear_worker(pool), name="hear the worker"),
            asyncio.create_task(self._watch_listener(), name="watch the listener"),
        ]

    async def _close_pool(self) -> None:
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.__aexit__(None, None, None)
        self._is_drained = False
        self._drain.note_worker(False)
        self._jobs.clear()

    async def _hear_worker(self, pool: LocalWorkerPool) -> None:
        """Log what the worker says."""
        while True:
            worker, event = await pool.next_event()
            if isinstance(event, WorkerReady):
                self._dtype = event.dtype
            for key in _ended_keys(event):
                self._forget_job(key)
            self._log.add_event(worker, event)

    async def _watch_listener(self) -> None:
        """Give the seat up once nobody has listened for long."""
        pause_seconds = ABANDON_SECONDS
        while pause_seconds > 0:
            await asyncio.sleep(pause_seconds)
            pause_seconds = self._listened_at + ABANDON_SECONDS - time.monotonic()
        log.warning("Nobody has listened for %.0f s: the seat ends.", ABANDON_SECONDS)
        await self._close_pool()
        self._on_abandoned()

    def _forget_job(self, key: JobKey) -> None:
        _, paths = self._jobs.pop(key, ("", []))
        for path in paths:
            path.unlink(missing_ok=True)

    def _locate_files(self, submission: SubmitJob) -> tuple[SubmitJob, list[Path]]:
        """Give the names of files in the inbox their paths."""
        inputs = {
            name: str(join_name(self._inbox, file)) for name, file in submission.inputs.items()
        }
        parts = tuple(
            replace(part, path=str(join_name(self._inbox, part.path))) for part in submission.parts
        )
        paths = [Path(path) for path in (*inputs.values(), *(part.path for part in parts))]
        return replace(submission, inputs=inputs, parts=parts), paths

    def _report(self) -> bytes:
        if self._pool is None:
            report = SeatReport(
                seat=self._seat,
                name=f"{self._label}0",
                ready=False,
                capacity=0,
                node=self._node,
                models=self._models,
                troubles=(Notice("cluster.drained", node=self._node),),
                is_resting=True,
            )
            return _body(report)
        (status,) = self._pool.worker_statuses
        report = SeatReport(
            seat=self._seat,
            name=status.name,
            ready=status.ready,
            capacity=status.capacity,
            batch=status.batch,
            node=self._node,
            device=status.device,
            dtype=self._dtype,
            models=status.models,
            resident=tuple(sorted(status.resident)),
            notes=status.notes,
            troubles=() if status.trouble is None else (status.trouble,),
            is_resting=status.is_resting,
        )
        if self._drain.is_asked:
            troubles = (Notice("cluster.draining", node=self._node),)
            report = replace(report, ready=False, troubles=troubles, is_resting=True)
        return _body(report)

    def _discard(self, entries: list[LoggedEvent]) -> None:
        """Remove the files of events that have arrived, or that nobody waits for."""
        for entry in entries:
            for path in list_files(entry.event):
                with contextlib.suppress(OSError, ValueError):
                    join_name(self._outbox, Path(path).name).unlink()


def list_files(event: Event) -> list[str]:
    """List the paths of the finished files that an event names."""
    match event:
        case JobFinished():
            images = event.images + event.seams
        case PartFinished():
            images = (event.image,)
        case _:
            images = ()
    return [
        path for image in images for path in (image.path, *(copy.path for copy in image.copies))
    ]


def _ended_keys(event: Event) -> tuple[JobKey, ...]:
    match event:
        case JobFinished() | JobFailed() | JobCancelled():
            return ((event.job_id, event.attempt),)
        case WorkerLost():
            return event.jobs
        case _:
            return ()


def _to_entry(entry: LoggedEvent) -> ListenEntry:
    preview = b""
    if isinstance(entry.event, JobProgress) and entry.event.preview:
        with contextlib.suppress(OSError):
            preview = Path(entry.event.preview).read_bytes()
        if len(preview) > MAX_PREVIEW_BYTES:
            preview = b""
    return entry.number, entry.worker, _body(entry.event), preview


def _body(message: wire.Message) -> bytes:
    return wire.encode_message(message)[wire.FRAME_HEADER.size :]
