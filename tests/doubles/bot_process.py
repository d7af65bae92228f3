"""The bot as a user starts it: `python main.py run`, to be watched, killed and started again."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.patience import PATIENCE

ROOT = Path(__file__).parent.parent.parent
PROC = Path("/proc")


class BotProcess:
    """One life of the bot, or one after the other on the same data."""

    def __init__(
        self,
        environment: Mapping[str, str],
        log: Path,
        program: tuple[str, ...] = ("main.py", "run"),
        worker: str = "inference.worker",
        launcher: tuple[str, ...] = (),
    ) -> None:
        """Run the program with Python, by a launcher if there is one."""
        self._program = program
        self._launcher = launcher
        self._worker = worker
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DISCORD_", "EASEL_"))
        }
        # Two threads of torch in one worker are enough to test with.
        self._environment = {**kept, "OMP_NUM_THREADS": "1", **environment}
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> str:
        """Everything that the bot and its workers wrote, over all lives."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("the bot was not started")
        return self._process

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start a life; it takes a while until the bot is on Discord."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._launcher,
                sys.executable,
                *self._program,
                cwd=ROOT,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def children(self, pid: int | None = None) -> list[int]:
        """List the process ids of a process's children, by default the bot's."""
        pid = self.pid if pid is None else pid
        processes = (int(path.name) for path in PROC.iterdir() if path.name.isdigit())
        return [process for process in processes if _parent(process) == pid]

    async def ended(self) -> int:
        """Wait until it has ended and return its exit code."""
        return await asyncio.wait_for(self._running.wait(), PATIENCE)

    def worker_statuses(self) -> list[int]:
        """List the process ids of its workers."""
        return [
            pid
            for pid in (int(path.name) for path in PROC.iterdir() if path.name.isdigit())
            if _parent(pid) == self.pid and self._worker in _command(pid)
        ]

    def kill_workers(self, chance: random.Random | None = None) -> int:
        """Kill every worker at once, as a crash of its device would, and say how many.

        With `chance`, some of them.
        """
        pids = self.worker_statuses()
        if chance is not None and pids:
            pids = chance.sample(pids, chance.randint(1, len(pids)))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return len(pids)

    async def kill(self) -> None:
        """Kill the bot alone; its workers find out by themselves."""
        if self.alive:
            self._running.kill()
        await self._running.wait()

    async def terminate(self) -> int:
        """Ask the bot to stop and return its exit code."""
        self._running.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self._running.wait(), PATIENCE)

    async def terminate_twice(self) -> int:
        """Ask it to stop, and do not wait; return its exit code."""
        self._running.send_signal(signal.SIGTERM)
        # Not our process: nothing but its log tells that the first signal was heard.
        while "Stopping" not in self.log.rpartition("is ready")[2]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        self._running.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self._running.wait(), PATIENCE)

    async def close(self) -> None:
        """Leave nothing running."""
        if self._process is not None:
            workers = self.worker_statuses() if self.alive else []
            await self.kill()
            for pid in workers:
                # Not our child: nothing but looking tells its end.
                while self._worker in _command(pid):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)


def _parent(pid: int) -> int:
    try:
        stat = PROC.joinpath(str(pid), "stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def _command(pid: int) -> str:
    try:
        return PROC.joinpath(str(pid), "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
