"""One worker process: started, spoken to, read from, ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from inference.api import log_relay, wire
from inference.api.commands import ConfigureLink, ConfigureWorker, StopWorker
from inference.api.config import EngineConfig
from inference.api.errors import NoWorker, WireError
from inference.api.messages import Event, WorkerReady
from inference.api.notices import Notice
from inference.api.workers.environment import (
    allocator_variables,
    child_environment,
    find_tls_variables,
    isolate_card,
    module_command,
)

log = logging.getLogger(__name__)

#: How a worker is run; by hand it is the same command with frames on its standard input.
WORKER_COMMAND = module_command("inference.worker")
#: A worker that does not read its pipe for this long is as good as dead.
WRITE_TIMEOUT_SECONDS = 10.0  # seconds
#: Between a worker's last word and its end: the interpreter's own farewell.
EXIT_TIMEOUT_SECONDS = 5.0  # seconds
#: For its last lines after that; a child of its own may hold the pipe open for ever.
LOG_TIMEOUT_SECONDS = 1.0  # seconds
#: What is reported of a process that was killed and cannot be seen to end.
KILLED_EXIT_CODE = -9
#: A longer line is told in pieces.
MAX_LINE_BYTES = 2**20  # bytes


class WorkerProcess:
    """A running worker; its name is unique to this life of it."""

    def __init__(self, process: Process, name: str, card: str = "") -> None:
        self.name = name
        #: What the bot calls its card, which to it is the only one; empty where it has no number.
        self._card = card
        self._is_killed = False
        self._process = process
        self._log_relay_task = asyncio.create_task(
            _relay_logs(process.stderr, name), name=f"hear {name}"
        )

    @classmethod
    async def start(
        cls, config: EngineConfig, label: str, command: tuple[str, ...] = WORKER_COMMAND
    ) -> WorkerProcess:
        """Start a process that sees its own card alone, and send it its configuration."""
        device, variables = isolate_card(config.device, os.environ)
        variables |= {"TRANSFORMERS_VERBOSITY": "error", "TQDM_DISABLE": "1"}
        variables |= allocator_variables(os.environ)
        card = "" if device == config.device else config.device
        first_message = ConfigureWorker(config=replace(config, device=device))
        return await cls._launch(command, label, variables, first_message, card)

    @classmethod
    async def start_link(
        cls, config: ConfigureLink, label: str, command: tuple[str, ...]
    ) -> WorkerProcess:
        """Start the process that speaks for the workers of a cluster."""
        return await cls._launch(command, label, find_tls_variables(os.environ), config)

    @classmethod
    async def _launch(
        cls,
        command: tuple[str, ...],
        label: str,
        variables: Mapping[str, str],
        first_message: wire.Message,
        card: str = "",
    ) -> WorkerProcess:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=child_environment(os.environ, **variables),
            start_new_session=True,
        )
        worker = cls(process, f"{label}-{process.pid}-{secrets.token_hex(3)}", card)
        await worker.send_command(first_message)
        return worker

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_gone(self) -> bool:
        """Whether it has ended, or was made to end: it takes no job any more."""
        return self._is_killed or self._process.returncode is not None

    async def send_command(self, command: wire.Message) -> None:
        """Send one command.

        Raises:
            NoWorker: the process is gone or does not read.
        """
        stdin = self._process.stdin
        if stdin is None or stdin.is_closing() or self.is_gone:
            raise NoWorker
        try:
            stdin.write(wire.encode_message(command))
            await asyncio.wait_for(stdin.drain(), WRITE_TIMEOUT_SECONDS)
        except (ConnectionError, TimeoutError) as error:
            # It may still take it from the pipe one day: nobody would know what it does.
            self.kill()
            raise NoWorker from error

    async def read_events(self) -> AsyncIterator[Event]:
        """Yield what it says until it ends or says nonsense."""
        async for message in self.read_messages():
            if not isinstance(message, Event):
                raise WireError(f"A worker sent a {type(message).__name__}.")
            if isinstance(message, WorkerReady) and self._card:
                message = replace(message, device=self._card)
            yield message

    async def read_messages(self) -> AsyncIterator[wire.Message]:
        """Yield what it says, whatever it is, until it ends or says what is no message."""
        stdout = self._process.stdout
        if stdout is None:
            return
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                header = await stdout.readexactly(wire.FRAME_HEADER.size)
                yield wire.decode_message(await stdout.readexactly(wire.read_frame_length(header)))

    async def wait_ended(self) -> Notice:
        """See it out once its events are over, and say how the end came."""
        code = await self._wait_exit(EXIT_TIMEOUT_SECONDS)
        await self._finish_logs()
        if code < 0:
            return Notice("worker.killed", signal=-code)
        return Notice("worker.ended", status=code)

    async def stop(self, grace_seconds: float) -> None:
        """Ask it to end, then make it end.

        Args:
            grace_seconds: seconds for the jobs in hand; 0 ends it at once.
        """
        if self._process.returncode is None:
            grace_seconds, drain = max(grace_seconds, 1.0), grace_seconds > 0
            asking = asyncio.create_task(self._ask_to_stop(drain), name=f"stop {self.name}")
            await self._wait_exit(grace_seconds)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await self._finish_logs()

    async def _ask_to_stop(self, drain: bool) -> None:
        with contextlib.suppress(NoWorker):
            await self.send_command(StopWorker(drain=drain))

    async def _wait_exit(self, timeout_seconds: float) -> int:
        """Wait for its end, and after that time make it end; return the exit code.

        What it still says is let go: with a full pipe it could not end, nor be seen to.
        """
        draining = asyncio.create_task(_discard_output(self._process.stdout))
        try:
            for seconds in (timeout_seconds, EXIT_TIMEOUT_SECONDS):
                with contextlib.suppress(TimeoutError):
                    return await asyncio.wait_for(self._process.wait(), seconds)
                self.kill()
        finally:
            if self._process.stdin is not None:
                self._process.stdin.close()
            await asyncio.wait({draining}, timeout=LOG_TIMEOUT_SECONDS)
            draining.cancel()
            await asyncio.gather(draining, return_exceptions=True)
        # Something else holds its pipes open, or the kernel holds the process.
        log.warning("%s was killed and does not go.", self.name)
        return KILLED_EXIT_CODE if self._process.returncode is None else self._process.returncode

    async def _finish_logs(self) -> None:
        """Let its last lines be told."""
        await asyncio.wait({self._log_relay_task}, timeout=LOG_TIMEOUT_SECONDS)
        self._log_relay_task.cancel()

    def kill(self) -> None:
        """End it at once, and what it has started: a child of its own would hold its pipes."""
        self._is_killed = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()


async def _discard_output(stream: asyncio.StreamReader | None) -> None:
    while stream is not None and await stream.read(MAX_LINE_BYTES):
        pass


async def _relay_logs(stream: asyncio.StreamReader | None, name: str) -> None:
    """Log what a worker says beside its frames, line by line, until it ends."""
    partial_line = b""
    while stream is not None and (chunk := await stream.read(MAX_LINE_BYTES)):
        *lines, partial_line = (partial_line + chunk).split(b"\n")
        if len(partial_line) > MAX_LINE_BYTES:
            lines, partial_line = [*lines, partial_line], b""
        for line in lines:
            _relay_line(name, line)
    _relay_line(name, partial_line)


def _relay_line(name: str, line: bytes) -> None:
    """Log a line; who stopped reading at one would hold the worker at its full pipe for ever."""
    try:
        log_relay.relay_line(name, line)
    except Exception:
        log.exception("A line of %s could not be told.", name)
