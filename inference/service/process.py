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

from inference import journal, wire
from inference.commands import Command, Configure, Stop
from inference.config import EngineConfig
from inference.errors import NoWorker, WireError
from inference.events import Event

log = logging.getLogger(__name__)

#: How a worker is run; by hand it is the same command with frames on its standard input.
COMMAND = (sys.executable, "-m", "inference.worker")
#: A worker that does not read its pipe for this long is as good as dead.
WRITE_TIMEOUT = 10.0  # seconds
#: Between a worker's last word and its end: the interpreter's own farewell.
END_TIMEOUT = 5.0  # seconds
#: For its last lines after that; a child of its own may hold the pipe open for ever.
LINES_TIMEOUT = 1.0  # seconds
#: A longer line is told in pieces.
LONGEST = 2**20  # bytes


class WorkerProcess:
    """A running worker; its name is unique to this life of it."""

    def __init__(self, process: Process, name: str) -> None:
        self.name = name
        self._process = process
        self._hearing = asyncio.create_task(_hear(process.stderr, name), name=f"hear {name}")

    @classmethod
    async def start(
        cls, config: EngineConfig, label: str, command: tuple[str, ...] = COMMAND
    ) -> WorkerProcess:
        """Start a process and send it its configuration."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=_environment(os.environ),
            start_new_session=True,
        )
        worker = cls(process, f"{label}-{process.pid}-{secrets.token_hex(3)}")
        await worker.send(Configure(config=config))
        return worker

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def send(self, command: Command) -> None:
        """Send one command.

        Raises:
            NoWorker: the process is gone or does not read.
        """
        stdin = self._process.stdin
        if stdin is None or stdin.is_closing() or self._process.returncode is not None:
            raise NoWorker
        try:
            stdin.write(wire.encode(command))
            await asyncio.wait_for(stdin.drain(), WRITE_TIMEOUT)
        except (ConnectionError, TimeoutError) as error:
            raise NoWorker from error

    async def events(self) -> AsyncIterator[Event]:
        """Yield what it says until it ends or says nonsense."""
        stdout = self._process.stdout
        if stdout is None:
            return
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                header = await stdout.readexactly(wire.HEADER.size)
                message = wire.decode(await stdout.readexactly(wire.size(header)))
                if not isinstance(message, Event):
                    raise WireError(f"A worker sent a {type(message).__name__}.")
                yield message

    async def ended(self) -> str:
        """See it out once its events are over, and say how the end came."""
        try:
            code = await asyncio.wait_for(self._process.wait(), END_TIMEOUT)
        except TimeoutError:
            self.kill()
            code = await self._process.wait()
        await self._heard()
        return f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"

    async def stop(self, grace: float) -> None:
        """Ask it to end, then make it end.

        Args:
            grace: seconds for the jobs in hand; 0 ends it at once.
        """
        if self._process.returncode is None:
            with contextlib.suppress(NoWorker):
                await self.send(Stop(drain=grace > 0))
            try:
                await asyncio.wait_for(self._process.wait(), max(grace, 1.0))
            except TimeoutError:
                self.kill()
                await self._process.wait()
        await self._heard()

    async def _heard(self) -> None:
        """Let its last lines be told."""
        await asyncio.wait({self._hearing}, timeout=LINES_TIMEOUT)
        self._hearing.cancel()

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


async def _hear(stream: asyncio.StreamReader | None, name: str) -> None:
    """Log what a worker says beside its frames, line by line, until it ends."""
    rest = b""
    while stream is not None and (chunk := await stream.read(LONGEST)):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            journal.retell(name, line)
        if len(rest) > LONGEST:
            journal.retell(name, rest)
            rest = b""
    journal.retell(name, rest)


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """Make the worker's environment: no token of ours, no network, our packages importable."""
    kept = {
        name: value for name, value in own.items() if not name.startswith(("DISCORD_", "EASEL_"))
    }
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, own.get("PYTHONPATH", "").split(os.pathsep))]
    return kept | {
        "PYTHONPATH": os.pathsep.join(paths),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "TQDM_DISABLE": "1",
    }
