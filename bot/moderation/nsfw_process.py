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

DETECTOR_COMMAND = (sys.executable, "-m", "inference.vision.nsfw")
START_TIMEOUT_SECONDS = 120.0  # seconds: a host's own checkpoint may come with the whole of torch
CHECK_TIMEOUT_SECONDS = 30.0  # seconds for one picture
STOP_TIMEOUT_SECONDS = 5.0  # seconds


class DetectorUnavailable(BotError):
    """No picture can be checked: the host has no detector, or it does not answer."""


class NsfwDetector(Protocol):
    """Tells pictures that are not for everybody."""

    async def score_image(self, data: bytes) -> float:
        """Return from 0 to 1 how surely a picture's file is not for everybody.

        Raises:
            DetectorUnavailable: nothing can be said.
        """
        ...

    def stop_detector(self) -> None:
        """End what it started."""
        ...


class SubprocessDetector:
    """Asks the checking process; one picture at a time, in a thread of its own."""

    def __init__(self, models: Path, command: tuple[str, ...] = DETECTOR_COMMAND) -> None:
        self._command = (*command, str(models))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="picture check")
        self._process: subprocess.Popen[bytes] | None = None
        self._missing = False

    async def score_image(self, data: bytes) -> float:
        """Ask; where there is no checker at all, that is found out once."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, self._score_blocking, data
        )

    def stop_detector(self) -> None:
        """End the process when it has answered what it was asked."""
        self._thread.submit(self._stop_process)
        self._thread.shutdown(wait=False)

    def _score_blocking(self, data: bytes) -> float:
        if self._missing:
            raise DetectorUnavailable
        try:
            process = self._process or self._start_process()
            answer = _request_score(process, data)
        except (OSError, ValueError) as error:
            self._stop_process()
            raise DetectorUnavailable(f"The picture check does not answer: {error}") from error
        if "score" not in answer:
            raise DetectorUnavailable(f"The picture check cannot read it: {answer.get('error')}")
        return float(answer["score"])

    def _start_process(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - our own command
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_child_environment(os.environ),
        )
        self._process = process
        checkers = _read_answer(process, START_TIMEOUT_SECONDS).get("checkers") or {}
        if not checkers:
            self._missing = True
            self._stop_process()
            log.warning("No picture can be checked: install the extra `nsfw`.")
            raise DetectorUnavailable
        for name, description in checkers.items():
            log.info("Pictures are checked by %s, which %s.", name, description)
        return process

    def _stop_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _request_score(process: subprocess.Popen[bytes], data: bytes) -> dict[str, Any]:
    if process.stdin is None:
        raise OSError("its input is closed")
    process.stdin.write(json.dumps({"bytes": len(data)}).encode() + b"\n" + data)
    process.stdin.flush()
    return _read_answer(process, CHECK_TIMEOUT_SECONDS)


def _read_answer(process: subprocess.Popen[bytes], timeout_seconds: float) -> dict[str, Any]:
    """Read one line; a process that says none in time is killed, which ends the reading."""
    timer = Timer(timeout_seconds, process.kill)
    timer.start()
    try:
        line = process.stdout.readline() if process.stdout is not None else b""
    finally:
        timer.cancel()
    answer = json.loads(line) if line else None
    if not isinstance(answer, dict):
        raise ValueError("it ended" if not line else "it said something else")
    return answer


def _child_environment(parent_environment: Mapping[str, str]) -> dict[str, str]:
    """Make its environment: no token of ours, no network, our packages importable."""
    inherited_variables = {
        name: value
        for name, value in parent_environment.items()
        if not name.startswith(("DISCORD_", "EASEL_"))
    }
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, parent_environment.get("PYTHONPATH", "").split(os.pathsep))]
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return {**inherited_variables, **offline, "PYTHONPATH": os.pathsep.join(paths)}
