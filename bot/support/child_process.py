"""A process beside the bot that takes what a stranger sent: asked, timed, doubted, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from inference.api import frames

EXIT_TIMEOUT_SECONDS = 2.0  # seconds


class ChildCrashed(Exception):
    """The process could not be started, ended, was ended for taking too long, or said nonsense."""

    def __init__(self, how: str, *, by_signal: bool = False) -> None:
        super().__init__(how)
        #: Whether a limit of the system or of the clock struck.
        self.by_signal = by_signal


class ChildProcess:
    """A running process that answers one frame after the other.

    Args:
        command: what to run; it reads frames and writes one for each.
        environment: all that it gets of the bot's.
        detached: whether it runs in no folder of ours.

    Raises:
        ChildCrashed: the system starts no process.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, detached: bool = False
    ) -> None:
        #: How many requests it was sent.
        self.served = 0
        self._was_killed = False
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=Path(__file__).anchor if detached else None,
                env=environment,
                start_new_session=True,  # it hears no Ctrl-C, and is killed with all its own
            )
        except OSError as error:
            raise ChildCrashed(f"it does not start: {error}") from error
        self._input = cast(BinaryIO, self._process.stdin)
        self._output = cast(BinaryIO, self._process.stdout)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def send_request(
        self,
        head: Mapping[str, Any],
        body: bytes = b"",
        *,
        timeout_seconds: float,
        max_body_bytes: int = 0,
    ) -> tuple[dict[str, Any], bytes]:
        """Send a frame and wait for the answer; blocks, for `timeout_seconds` at most in all.

        Raises:
            ChildCrashed: no answer came; the process is of no more use and ended.
        """
        self.served += 1
        watchdog = threading.Timer(timeout_seconds, self._kill)
        watchdog.start()
        try:
            frames.write_frame(self._input, head, body)
            answer = frames.read_frame(self._output, max_body_bytes)
        except (OSError, ValueError, frames.FrameError) as error:
            raise self._crash_error() from error
        finally:
            watchdog.cancel()
            watchdog.join()
        if answer is None or self._was_killed:
            raise self._crash_error()
        return answer

    def _kill(self) -> None:
        """End it and what it started, which would else hold its pipes open."""
        self._was_killed = True
        with contextlib.suppress(OSError):
            if sys.platform != "win32":
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def _crash_error(self) -> ChildCrashed:
        exit_code = self.shut_down()
        if exit_code < 0:
            return ChildCrashed(f"it was ended by signal {-exit_code}", by_signal=True)
        return ChildCrashed(f"it ended with code {exit_code}")

    def shut_down(self) -> int:
        """See that it is gone, and return its exit code, of a signal its negative number."""
        with contextlib.suppress(OSError):  # closed already
            self._input.close()
        try:
            exit_code = self._process.wait(EXIT_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
            exit_code = self._process.wait()
        self._output.close()
        return exit_code
