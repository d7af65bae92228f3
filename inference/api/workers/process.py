"""One worker process: started, spoken to, read from, ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from inference.api import log_relay, wire
from inference.api.commands import Command, ConfigureWorker, StopWorker
from inference.api.config import EngineConfig
from inference.api.errors import NoWorker, WireError
from inference.api.messages import Event
from inference.api.notices import Notice

log = logging.getLogger(__name__)

#: How a worker is run; by hand it is the same command with frames on its standard input.
WORKER_COMMAND = (sys.executable, "-m", "inference.worker")
#: A worker that does not read its pipe for this long is as good as dead.
WRITE_TIMEOUT_SECONDS = 10.0  # seconds
#: Between a worker's last word and its end: the interpreter's own farewell.
EXIT_TIMEOUT_SECONDS = 5.0  # seconds
#: For its last lines after that; a child of its own may hold the pipe open for ever.
LOG_TIMEOUT_SECONDS = 1.0  # seconds
#: A longer line is told in pieces.
MAX_LINE_BYTES = 2**20  # bytes


class WorkerProcess:
    """A running worker; its name is unique to this life of it."""

    def __init__(self, process: Process, name: str) -> None:
        self.name = name
        self._process = process
        self._log_relay_task = asyncio.create_task(
            _relay_logs(process.stderr, name), name=f"hear {name}"
        )

    @classmethod
    async def start(
        cls, config: EngineConfig, label: str, command: tuple[str, ...] = WORKER_COMMAND
    ) -> WorkerProcess:
        """Start a process and send it its configuration."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=child_environment(os.environ, TRANSFORMERS_VERBOSITY="error", TQDM_DISABLE="1"),
            start_new_session=True,
        )
        worker = cls(process, f"{label}-{process.pid}-{secrets.token_hex(3)}")
        await worker.send_command(ConfigureWorker(config=config))
        return worker

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def send_command(self, command: Command) -> None:
        """Send one command.

        Raises:
            NoWorker: the process is gone or does not read.
        """
        stdin = self._process.stdin
        if stdin is None or stdin.is_closing() or self._process.returncode is not None:
            raise NoWorker
        try:
            stdin.write(wire.encode_message(command))
            await asyncio.wait_for(stdin.drain(), WRITE_TIMEOUT_SECONDS)
        except (ConnectionError, TimeoutError) as error:
            raise NoWorker from error

    async def read_events(self) -> AsyncIterator[Event]:
        """Yield what it says until it ends or says nonsense."""
        stdout = self._process.stdout
        if stdout is None:
            return
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                header = await stdout.readexactly(wire.FRAME_HEADER.size)
                message = wire.decode_message(
                    await stdout.readexactly(wire.read_frame_length(header))
                )
                if not isinstance(message, Event):
                    raise WireError(f"A worker sent a {type(message).__name__}.")
                yield message

    async def wait_ended(self) -> Notice:
        """See it out once its events are over, and say how the end came."""
        try:
            code = await asyncio.wait_for(self._process.wait(), EXIT_TIMEOUT_SECONDS)
        except TimeoutError:
            self.kill()
            code = await self._process.wait()
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
            with contextlib.suppress(NoWorker):
                await self.send_command(StopWorker(drain=grace_seconds > 0))
            try:
                await asyncio.wait_for(self._process.wait(), max(grace_seconds, 1.0))
            except TimeoutError:
                self.kill()
                await self._process.wait()
        await self._finish_logs()

    async def _finish_logs(self) -> None:
        """Let its last lines be told."""
        await asyncio.wait({self._log_relay_task}, timeout=LOG_TIMEOUT_SECONDS)
        self._log_relay_task.cancel()

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


async def _relay_logs(stream: asyncio.StreamReader | None, name: str) -> None:
    """Log what a worker says beside its frames, line by line, until it ends."""
    partial_line = b""
    while stream is not None and (chunk := await stream.read(MAX_LINE_BYTES)):
        *lines, partial_line = (partial_line + chunk).split(b"\n")
        for line in lines:
            log_relay.relay_line(name, line)
        if len(partial_line) > MAX_LINE_BYTES:
            log_relay.relay_line(name, partial_line)
            partial_line = b""
    log_relay.relay_line(name, partial_line)


def child_environment(bot_environment: Mapping[str, str], **variables: str) -> dict[str, str]:
    """Make a child's environment: no token of ours, no network, our packages importable."""
    environment = {
        name: value
        for name, value in bot_environment.items()
        if not name.startswith(("DISCORD_", "EASEL_"))
    }
    root = str(Path(__file__).resolve().parents[3])
    paths = [root, *filter(None, bot_environment.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        **environment,
        "PYTHONPATH": os.pathsep.join(paths),
        "HF_HUB_OFFLINE": "1",
        **variables,
    }
