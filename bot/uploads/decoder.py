"""One decoder process, seen from the bot: asked, timed, doubted, ended."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from bot.uploads import framing

log = logging.getLogger(__name__)

PROJECT_ROOT = Path(__file__).resolve().parents[2]
DECODER_MODULE = "bot.uploads"
PASSED_ENV_VARS = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "VIRTUAL_ENV", "LANG", "LC_ALL")
"""What a decoder gets of the bot's environment: no token, no address."""

# glibc: give memory back at once, and no arena a thread.
MALLOC_SETTINGS = {"MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_ARENA_MAX": "1"}
EXIT_TIMEOUT_SECONDS = 2.0  # seconds
PNG_OVERHEAD_BYTES = 1 << 16  # bytes of a PNG beyond its pixels


class DecoderCrashed(Exception):
    """The process could not be started, ended, was ended for taking too long, or said nonsense."""

    def __init__(self, how: str, *, by_signal: bool) -> None:
        super().__init__(how)
        #: Whether the file was to blame: a limit of the system or of the clock struck.
        self.by_signal = by_signal


@dataclass(frozen=True)
class DecodeLimits:
    """What a decoder may take for one file."""

    max_bytes: int
    max_pixels: int
    #: Of processor time.
    cpu_seconds: int
    #: Until it is killed, however little it does.
    timeout_seconds: float


class DecoderProcess:
    """A running process that reads one file after the other.

    Raises:
        DecoderCrashed: the system starts no process.
    """

    def __init__(self, allowance: DecodeLimits) -> None:
        self.allowance = allowance
        #: How many files it was given.
        self.served = 0
        limit_arguments = (allowance.max_bytes, allowance.max_pixels, allowance.cpu_seconds)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", DECODER_MODULE, *map(str, limit_arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=PROJECT_ROOT.anchor,
                env=_decoder_environment(os.environ),
                start_new_session=True,  # a Ctrl-C is the bot's to hear
            )
        except OSError as error:
            raise DecoderCrashed(f"it does not start: {error}", by_signal=False) from error
        self._input = cast(BinaryIO, self._process.stdin)
        self._output = cast(BinaryIO, self._process.stdout)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def send_request(self, head: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """Give it a file and wait for the answer; blocks.

        Raises:
            DecoderCrashed: no answer came; the process is of no more use.
        """
        self.served += 1
        watchdog = threading.Timer(self.allowance.timeout_seconds, self.kill)
        watchdog.start()
        try:
            framing.write_frame(self._input, head, body)
            # The answer's PNG may be larger than the file, never larger than its bare pixels.
            answer = framing.read_frame(
                self._output, 5 * self.allowance.max_pixels + PNG_OVERHEAD_BYTES
            )
        except (OSError, ValueError, framing.FrameError) as error:
            raise self._crash_error() from error
        finally:
            watchdog.cancel()
        if answer is None:
            raise self._crash_error()
        return answer

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def _crash_error(self) -> DecoderCrashed:
        exit_code = self.shut_down()
        if exit_code < 0:
            return DecoderCrashed(f"it was ended by signal {-exit_code}", by_signal=True)
        return DecoderCrashed(f"it ended with code {exit_code}", by_signal=False)

    def shut_down(self) -> int:
        """See that it is gone, and return its exit code, of a signal its negative number."""
        try:
            self._input.close()
        except OSError:
            log.debug("A decoder's input was closed already.")
        try:
            exit_code = self._process.wait(EXIT_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            exit_code = self._process.wait()
        self._output.close()
        return exit_code


def _decoder_environment(bot_environment: Mapping[str, str]) -> dict[str, str]:
    return (
        {name: bot_environment[name] for name in PASSED_ENV_VARS if name in bot_environment}
        | MALLOC_SETTINGS
        | {"PYTHONPATH": str(PROJECT_ROOT)}
    )
