"""The picture check: a process beside the bot, started when first asked and replaced when it dies.

It is told nothing but pictures, and answers with numbers. The bot itself loads no network: what can
hang, leak or crash does so over there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer
from typing import Any, Protocol

from bot.errors import BotError

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "inference.safety")
START_PATIENCE = 120.0  # seconds: a host's own checkpoint may come with the whole of torch
PATIENCE = 30.0  # seconds for one picture
END_PATIENCE = 5.0  # seconds


class NoDetector(BotError):
    """No picture can be checked: the host has no detector, or it does not answer."""


class Detector(Protocol):
    """Tells pictures that are not for everybody."""

    async def score(self, data: bytes) -> float:
        """Return from 0 to 1 how surely a picture's file is not for everybody.

        Raises:
            NoDetector: nothing can be said.
        """
        ...

    def close(self) -> None:
        """End what it started."""
        ...


class ChildDetector:
    """Asks the checking process; one picture at a time, in a thread of its own."""

    def __init__(self, models: Path, command: tuple[str, ...] = COMMAND) -> None:
        self._command = (*command, str(models))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="picture check")
        self._process: subprocess.Popen[bytes] | None = None
        self._missing = False

    async def score(self, data: bytes) -> float:
        """Ask; where there is no checker at all, that is found out once."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._score, data)

    def close(self) -> None:
        """End the process when it has answered what it was asked."""
        self._thread.submit(self._end)
        self._thread.shutdown(wait=False)

    def _score(self, data: bytes) -> float:
        if self._missing:
            raise NoDetector
        try:
            process = self._process or self._start()
            answer = _ask(process, data)
        except (OSError, ValueError) as error:
            self._end()
            raise NoDetector(f"The picture check does not answer: {error}") from error
        if "score" not in answer:
            raise NoDetector(f"The picture check cannot read it: {answer.get('error')}")
        return float(answer["score"])

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - our own command
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(os.environ),
        )
        self._process = process
        checkers = _answer(process, START_PATIENCE).get("checkers") or {}
        if not checkers:
            self._missing = True
            self._end()
            log.warning("No picture can be checked: install the extra `nsfw`.")
            raise NoDetector
        for name, about in checkers.items():
            log.info("Pictures are checked by %s, which %s.", name, about)
        return process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(END_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _ask(process: subprocess.Popen[bytes], data: bytes) -> dict[str, Any]:
    if process.stdin is None:
        raise OSError("its input is closed")
    process.stdin.write(json.dumps({"bytes": len(data)}).encode() + b"\n" + data)
    process.stdin.flush()
    return _answer(process, PATIENCE)


def _answer(process: subprocess.Popen[bytes], patience: float) -> dict[str, Any]:
    """Read one line; a process that says none in time is killed, which ends the reading."""
    timer = Timer(patience, process.kill)
    timer.start()
    try:
        line = process.stdout.readline() if process.stdout is not None else b""
    finally:
        timer.cancel()
    answer = json.loads(line) if line else None
    if not isinstance(answer, dict):
        raise ValueError("it ended" if not line else "it said something else")
    return answer


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """Make its environment: no token of ours, no network, our packages importable."""
    kept = {
        name: value for name, value in own.items() if not name.startswith(("DISCORD_", "EASEL_"))
    }
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, own.get("PYTHONPATH", "").split(os.pathsep))]
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return {**kept, **offline, "PYTHONPATH": os.pathsep.join(paths)}
