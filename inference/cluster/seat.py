"""The link's side of one worker: opened, heard, given jobs, buried, opened again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from inference.api import wire
from inference.api.commands import CancelJob, ConfigureLink, SubmitJob
from inference.api.errors import WireError
from inference.api.messages import (
    Event,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobInHand,
    JobProgress,
    PartFinished,
    SeatAttached,
    SeatReport,
    StartFailed,
    WorkerLost,
)
from inference.api.notices import Notice
from inference.cluster.file_transfer import FileTransfer, NodeRefused
from inference.cluster.nodes.word_lists import WordListSender
from inference.cluster.seat_host import FoundJob, JobKey, ListenEntry, list_files
from inference.cluster.transport import SeatDied, SeatTransport, SeatUnavailable

log = logging.getLogger(__name__)

#: No answer for so long, and the worker is offered no job; whoever listens waits 5 s at most.
SILENCE_SECONDS = 15.0  # seconds
#: After so long an answer that has not come is asked for anew.
ANSWER_SECONDS = 30.0  # seconds
#: Between two calls to a host that does not answer, and after the end of one.
RETRY_SECONDS = 1.0  # seconds
#: A node with a full disk gets no job for so long.
FULL_DISK_SECONDS = 60.0  # seconds
#: Calls that end or kill a host wait no longer.
KILL_SECONDS = 5.0  # seconds

#: Events of these types are kept on the node until the bot has recorded what came of them.
RECEIPTED_EVENTS = JobFinished | JobFailed | JobCancelled | PartFinished | WorkerLost

OpenTransport = Callable[[int], Awaitable[SeatTransport]]
#: Sends a worker's name, what it says, and the receipt that is wanted, which may be empty.
SendEvent = Callable[[str, Event, str], None]


class SeatRefused(Exception):
    """A node is not fit for this bot; the notice says why."""

    def __init__(self, notice: Notice) -> None:
        super().__init__(str(notice))
        self.notice = notice


class Seat:
    """Keeps one worker somewhere on the cluster."""

    def __init__(
        self,
        number: int,
        config: ConfigureLink,
        open_transport: OpenTransport,
        send: Callable[[wire.Message], None],
        send_event: SendEvent,
    ) -> None:
        self._number = number
        self._config = config
        self._open_transport = open_transport
        self._send = send
        self._send_event = send_event
        self._outbox = Path(config.config.outbox)
        self._session = ""
        self._transport: SeatTransport | None = None
        self._files: FileTransfer | None = None
        self._lists: WordListSender | None = None
        self._report = SeatReport(
            seat=number, name=f"cluster/seat{number}", ready=False, capacity=config.config.max_jobs
        )
        #: The number up to which events came, and up to which all of them are passed on.
        self._seen_number = self._taken_number = 0
        self._pending_numbers: set[int] = set()
        #: Workers that the bot was told of and knows nothing ill of.
        self._known_workers: set[str] = set()
        #: What is still done with a job: one step after the other.
        self._chains: dict[JobKey, asyncio.Task[None]] = {}
        self._previews: dict[JobKey, Path] = {}
        self._kills: set[asyncio.Task[None]] = set()
        self._refused_until = 0.0
        #: Where the host that answered last is.
        self._node = ""
        self.last_busy_at = time.monotonic()

    @property
    def worker(self) -> str:
        """The name of the worker as the bot knows it."""
        return self._report.name

    async def keep_seat(self) -> None:
        """Keep the seat taken for ever."""
        told_trouble: Notice | None = None
        while True:
            trouble: Notice | None = None
            try:
                await self._serve_once()
            except SeatDied as error:
                log.warning("Seat %d: %s", self._number, error)
            except SeatRefused as refusal:
                trouble = refusal.notice
            except Exception as error:
                log.exception("Seat %d cannot be kept.", self._number)
                trouble = Notice("worker.not_kept", error=repr(error))
            self._bury()
            self._tell(self._absent_report(trouble))
            if trouble is not None and trouble != told_trouble:
                self._send_event(self._report.name, StartFailed(reason=trouble), "")
            told_trouble = trouble
            await asyncio.sleep(RETRY_SECONDS if trouble is None else SILENCE_SECONDS)

    async def close_seat(self) -> None:
        """Give the seat up with its worker."""
        if self._transport is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(
                    self._transport.call_host("end_worker", self._session), KILL_SECONDS
                )
        self._bury()

    def run_command(self, worker: str, command: wire.Message) -> None:
        """Pass a command on to the worker, after all earlier ones of the same job."""
        self.last_busy_at = time.monotonic()
        match command:
            case SubmitJob():
                work = self._submit_job(worker, command)
            case CancelJob():
                work = self._cancel_job(worker, command)
            case _:
                raise WireError(f"No command for a worker: {type(command).__name__}")
        self._chain((command.job_id, command.attempt), work)

    def end_worker(self, worker: str) -> None:
        """End the worker, or with it the host that does not answer; returns at once."""
        if self._transport is not None:
            task = asyncio.create_task(self._kill(self._transport, worker), name="kill a worker")
            self._kills.add(task)
            task.add_done_callback(self._kills.discard)

    async def _kill(self, transport: SeatTransport, worker: str) -> None:
        try:
            if not self._report.ready:
                raise SeatUnavailable
            call = transport.call_host("replace_worker", self._session, worker)
            await asyncio.wait_for(call, KILL_SECONDS)
        except Exception as error:
            log.warning("Seat %d does not answer (%r) and is ended.", self._number, error)
            transport.destroy_host()

    async def _serve_once(self) -> None:
        """Open a host and hear it until it dies."""
        transport = await self._open_transport(self._number)
        self._transport = transport
        self._tell(self._absent_report(Notice("cluster.waiting"), is_resting=True))
        self._check_host(json.loads(await self._call("describe")))
        self._session = secrets.token_hex(3)
        self._files = FileTransfer(self._call, self._session, self._outbox)
        self._seen_number = self._taken_number = 0
        self._pending_numbers.clear()
        configuration = wire.encode_message(replace(self._config, token_path=""))
        body = configuration[wire.FRAME_HEADER.size :]
        report, found_jobs = await self._call("attach", self._session, body)
        if report:
            attached = _describe_attachment(self._read_report(report), found_jobs)
            self._known_workers |= {job.worker for job in attached.jobs}
            self._send(attached)
        folder = Path(self._config.config.wordlists_dir)
        self._lists = WordListSender(self._call, self._session, folder)
        try:
            await self._lists.send_changes()
        except NodeRefused as refusal:
            raise SeatRefused(self._full_disk_notice(str(refusal))) from refusal
        if report:
            self._tell(self._read_report(report))
        while True:
            report, entries = await self._call_listening(
                "listen", self._session, self._seen_number, self._taken_number
            )
            if not report:
                self._transport = None  # it is another's now, which may go on
                raise SeatRefused(Notice("cluster.seat_taken"))
            for entry in entries:
                self._take_entry(entry)
            self._tell(self._read_report(report))

    def _absent_report(
        self, trouble: Notice | None = None, *, is_resting: bool = False
    ) -> SeatReport:
        """Say that no worker is there, and what the last one could run."""
        return SeatReport(
            seat=self._number,
            name=f"cluster/seat{self._number}",
            ready=False,
            capacity=self._config.config.max_jobs,
            models=self._report.models,
            troubles=() if trouble is None else (trouble,),
            is_resting=is_resting,
        )

    def _check_host(self, description: dict[str, str]) -> None:
        """Refuse a node whose Easel is another, or that has no folder for it.

        Raises:
            SeatRefused: says which.
        """
        node = self._node = description["node"]
        if problem := description.get("problem"):
            raise SeatRefused(Notice("cluster.no_folder", node=node, problem=problem))
        version, digest = description["version"], description["wire"]
        if version != self._config.version or digest != wire.compute_digest():
            raise SeatRefused(
                Notice(
                    "cluster.other_version",
                    node=node,
                    theirs=f"{version} ({digest})",
                    ours=f"{self._config.version} ({wire.compute_digest()})",
                )
            )

    async def _call(self, method: str, *arguments: Any) -> Any:
        """Call the host until it answers; every call may come twice.

        Raises:
            SeatDied: it is gone.
        """
        while True:
            transport = self._transport
            if transport is None:
                raise SeatDied("The seat is buried.")
            try:
                return await transport.call_host(method, *arguments)
            except SeatUnavailable:
                await asyncio.sleep(RETRY_SECONDS)

    async def _call_listening(self, *arguments: Any) -> Any:
        """Call the host, and offer its worker no job while it says nothing."""
        call = asyncio.ensure_future(self._call(*arguments))
        begin = time.monotonic()
        try:
            while True:
                await asyncio.wait({call}, timeout=min(1.0, SILENCE_SECONDS))
                if call.done():
                    return call.result()
                if time.monotonic() - begin > SILENCE_SECONDS and self._report.ready:
                    log.warning("Seat %d says nothing.", self._number)
                    silent = (Notice("cluster.silent"),)
                    self._tell(replace(self._report, ready=False, troubles=silent, is_resting=True))
                if time.monotonic() - begin > ANSWER_SECONDS:
                    call.cancel()
                    call = asyncio.ensure_future(self._call(*arguments))
                    begin = time.monotonic()
        finally:
            call.cancel()

    def _read_report(self, frame: bytes) -> SeatReport:
        report = wire.decode_message(frame)
        if not isinstance(report, SeatReport):
            raise WireError(f"A host sent a {type(report).__name__}.")
        report = replace(report, seat=self._number)
        if any(trouble.code == "cluster.drained" for trouble in report.troubles):
            self._known_workers.clear()  # it ended as it was told to, and held nothing
        if time.monotonic() < self._refused_until:
            return replace(report, ready=False, troubles=self._report.troubles, is_resting=True)
        return report

    def _tell(self, report: SeatReport) -> None:
        if report.ready:
            self._known_workers.add(report.name)
        if report != self._report:
            self._report = report
            self._send(report)

    def _take_entry(self, entry: ListenEntry) -> None:
        """Pass an event on; one with files once they are here, others of its job after it."""
        number, worker, frame, preview = entry
        self._seen_number = max(self._seen_number, number)
        self._pending_numbers.add(number)
        self.last_busy_at = time.monotonic()
        event = wire.decode_message(frame)
        if not isinstance(event, Event):
            raise WireError(f"A host sent a {type(event).__name__}.")
        key = _key_of(event)
        if isinstance(event, WorkerLost) and self._chains:
            # A result that is on its way is one, whatever became of its worker.
            waiting = asyncio.gather(*self._chains.values(), return_exceptions=True)
            self._chain(("", number), self._pass_after(waiting, number, worker, event))
        elif key is not None and (list_files(event) or key in self._chains):
            self._chain(key, self._pass_event(number, worker, event, preview))
        else:
            self._pass_now(number, worker, event, preview)

    async def _pass_after(
        self, waiting: Awaitable[Any], number: int, worker: str, event: Event
    ) -> None:
        await waiting
        self._pass_now(number, worker, event, b"")

    async def _pass_event(self, number: int, worker: str, event: Event, preview: bytes) -> None:
        files = self._files
        try:
            if isinstance(event, JobFinished) and files is not None:
                event = await files.fetch_result(event)
            elif isinstance(event, PartFinished) and files is not None:
                event = await files.fetch_part(event)
        except OSError as error:
            log.warning("Files of a result cannot be fetched: %s", error)
            if isinstance(event, JobFinished):
                self._remove_preview((event.job_id, event.attempt))
                failed_event = _failed_event(event, Notice("job.result_unreadable"))
                self._send_event(worker, failed_event, self._make_receipt(number))
            else:
                self._note_passed(number)
            return
        self._pass_now(number, worker, event, preview)

    def _pass_now(self, number: int, worker: str, event: Event, preview: bytes) -> None:
        if isinstance(event, JobProgress):
            event = replace(event, preview=self._write_preview(event, preview))
        elif isinstance(event, JobFinished | JobFailed | JobCancelled):
            self._remove_preview((event.job_id, event.attempt))
        elif isinstance(event, WorkerLost):
            self._known_workers.discard(worker)
        if isinstance(event, RECEIPTED_EVENTS):
            self._send_event(worker, event, self._make_receipt(number))
        else:
            self._send_event(worker, event, "")
            self._note_passed(number)

    def _make_receipt(self, number: int) -> str:
        return f"{self._number}/{self._session}/{number}"

    def take_receipt(self, receipt: str) -> None:
        """Let the node forget an event that the bot has recorded."""
        _, session, number = receipt.split("/")
        if session == self._session:
            self._note_passed(int(number))

    def _note_passed(self, number: int) -> None:
        """Note that an event arrived, and up to which number all have."""
        self._pending_numbers.discard(number)
        self._taken_number = min(self._pending_numbers, default=self._seen_number + 1) - 1

    async def _submit_job(self, worker: str, submission: SubmitJob) -> None:
        if self._files is None or self._transport is None or worker not in self._known_workers:
            return  # the bot has been told, or is just being told, that it is lost
        try:
            if self._lists is not None:
                await self._lists.send_changes()
            submission = await self._files.send_files(submission)
        except FileNotFoundError as error:
            log.warning("Job %s: a picture is gone: %s", submission.job_id, error)
            reason = Notice("job.broke", error=type(error).__name__)
            self._send_event(worker, _failed_event(submission, reason), "")
            return
        except NodeRefused as refusal:
            self._refuse_jobs(str(refusal))
            job_id, attempt = submission.job_id, submission.attempt
            self._send_event(worker, JobCancelled(job_id=job_id, attempt=attempt), "")
            return
        frame = wire.encode_message(submission)[wire.FRAME_HEADER.size :]
        await self._call("take_job", self._session, worker, frame)

    async def _cancel_job(self, worker: str, command: CancelJob) -> None:
        if self._transport is not None and worker == self.worker:
            frame = wire.encode_message(command)[wire.FRAME_HEADER.size :]
            await self._call("give_up_job", self._session, worker, frame)

    def _refuse_jobs(self, problem: str) -> None:
        """Take no job for a while: the node's disk has no room."""
        log.warning("Seat %d takes no jobs: %s", self._number, problem)
        self._refused_until = time.monotonic() + FULL_DISK_SECONDS
        trouble = self._full_disk_notice(problem)
        self._tell(replace(self._report, ready=False, troubles=(trouble,), is_resting=True))

    def _full_disk_notice(self, problem: str) -> Notice:
        return Notice("cluster.disk_full", node=self._node, problem=problem)

    def _chain(self, key: JobKey, work: Coroutine[Any, Any, None]) -> None:
        """Do something with a job after all that is still being done with it."""
        task = asyncio.create_task(self._run_after(self._chains.get(key), work))
        self._chains[key] = task
        task.add_done_callback(lambda done: self._end_chain(key, done))

    def _end_chain(self, key: JobKey, task: asyncio.Task[None]) -> None:
        if self._chains.get(key) is task:
            del self._chains[key]

    async def _run_after(
        self, previous: asyncio.Task[None] | None, work: Coroutine[Any, Any, None]
    ) -> None:
        try:
            if previous is not None:
                await asyncio.wait({previous})
            await work
        except SeatDied:
            pass  # whoever hears the host buries it and all that it held
        except Exception:
            log.exception("Seat %d is given up.", self._number)
            if self._transport is not None:
                self._transport.destroy_host()
        finally:
            work.close()

    def _write_preview(self, event: JobProgress, preview: bytes) -> str | None:
        """Write a preview over the last one of its job; return its path, None without one."""
        key = (event.job_id, event.attempt)
        path = self._previews.get(key)
        if preview:
            path = path or self._outbox / f"tmp{self._session}-{event.job_id}-{event.attempt}.jpg"
            try:
                fresh_path = path.with_suffix(".new")
                fresh_path.write_bytes(preview)
                fresh_path.replace(path)
            except OSError as error:
                log.warning("A preview cannot be written: %s", error)
                return None
            self._previews[key] = path
        return None if path is None or event.preview is None else str(path)

    def _remove_preview(self, key: JobKey) -> None:
        path = self._previews.pop(key, None)
        if path is not None:
            path.unlink(missing_ok=True)

    def _bury(self) -> None:
        """End the host for good and tell the bot what is lost with it: it is no job's fault."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.destroy_host()
        for task in self._chains.values():
            task.cancel()
        self._chains.clear()
        for key in list(self._previews):
            self._remove_preview(key)
        for worker in sorted(self._known_workers):
            reason = Notice("worker.node_lost", node=self._report.node)
            event = WorkerLost(worker=worker, reason=reason, jobs=(), counts=False)
            self._send_event(worker, event, "")
        self._known_workers.clear()


def _describe_attachment(report: SeatReport, found_jobs: list[FoundJob]) -> SeatAttached:
    jobs = (JobInHand(worker=job[0], job_id=job[1], attempt=job[2]) for job in found_jobs)
    return SeatAttached(seat=report.seat, worker=report.name, jobs=tuple(jobs))


def _failed_event(job: SubmitJob | JobFinished, reason: Notice) -> JobFailed:
    return JobFailed(job_id=job.job_id, attempt=job.attempt, reason=reason)


def _key_of(event: Event) -> JobKey | None:
    match event:
        case JobProgress() | PartFinished() | JobFinished() | JobFailed() | JobCancelled():
            return event.job_id, event.attempt
        case _:
            return None
