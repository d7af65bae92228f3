"""The picture check: a process beside the bot, started when first asked and replaced when it dies.

It is told nothing but pictures, and answers with numbers. The bot itself loads no network: what can
hang, leak or crash does so over there.
"""

from __future__ import annotations

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from bot.errors import BotError
from bot.support.child_process import ChildCrashed, ChildProcess
from inference.api.workers.environment import child_environment, module_command

log = logging.getLogger(__name__)

DETECTOR_COMMAND = module_command("inference.vision.nsfw")
START_TIMEOUT_SECONDS = 120.0  # seconds: a host's own checkpoint may come with the whole of torch
CHECK_TIMEOUT_SECONDS = 30.0  # seconds for one picture
WAIT_TIMEOUT_SECONDS = 180.0  # seconds for one picture with those before it, and a start


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

    async def is_available(self) -> bool:
        """Whether pictures can be checked on this host at all."""
        ...

    def stop_detector(self) -> None:
        """End what it started."""
        ...


class SubprocessDetector:
    """Asks the checking process; one picture at a time, in a thread of its own."""

    def __init__(self, models: Path, command: tuple[str, ...] = DETECTOR_COMMAND) -> None:
        self._command = (*command, str(models))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="picture check")
        self._process: ChildProcess | None = None
        self._missing = False

    async def score_image(self, data: bytes) -> float:
        """Ask; where there is no checker at all, that is found out once."""
        work = asyncio.wrap_future(self._thread.submit(self._score_blocking, data))
        try:
            return await asyncio.wait_for(work, WAIT_TIMEOUT_SECONDS)
        except TimeoutError as error:
            raise DetectorUnavailable("The picture check is too busy.") from error

    async def is_available(self) -> bool:
        """Start the checking process where it does not run yet, and say whether it can."""
        work = asyncio.wrap_future(self._thread.submit(self._is_available_blocking))
        try:
            return await asyncio.wait_for(work, WAIT_TIMEOUT_SECONDS)
        except TimeoutError:
            return True  # it is busy, so it is there

    def _is_available_blocking(self) -> bool:
        try:
            if not self._missing and self._process is None:
                self._start_process()
        except (DetectorUnavailable, ChildCrashed):
            return False
        return not self._missing

    def stop_detector(self) -> None:
        """End the process when it has answered what it was asked."""
        self._thread.submit(self._stop_process)
        self._thread.shutdown(wait=False)

    def _score_blocking(self, data: bytes) -> float:
        if self._missing:
            raise DetectorUnavailable
        try:
            process = self._process or self._start_process()
            answer, _ = process.send_request(
                {"work": "score"}, data, timeout_seconds=CHECK_TIMEOUT_SECONDS
            )
        except ChildCrashed as error:
            self._process = None
            raise DetectorUnavailable(f"The picture check does not answer: {error}") from error
        if "score" not in answer:
            raise DetectorUnavailable(f"The picture check cannot read it: {answer.get('error')}")
        return float(answer["score"])

    def _start_process(self) -> ChildProcess:
        variables = {"TRANSFORMERS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        process = ChildProcess(self._command, child_environment(os.environ, **variables))
        answer, _ = process.send_request(
            {"work": "checkers"}, timeout_seconds=START_TIMEOUT_SECONDS
        )
        self._process = process
        checkers = answer.get("checkers") or {}
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
        if process is not None:
            process.shut_down()
