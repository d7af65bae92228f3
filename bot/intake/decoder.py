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

from bot.intake import frames

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
MODULE = "bot.intake"
KEPT = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "VIRTUAL_ENV", "LANG", "LC_ALL")
"""What a decoder gets of the bot's environment: no token, no address."""

# glibc: give memory back at once, and no arena a thread.
MEMORY = {"MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_ARENA_MAX": "1"}
END_PATIENCE = 2.0  # seconds
OVERHEAD = 1 << 16  # bytes of a PNG beyond its pixels


class DecoderLost(Exception):
    """The process could not be started, ended, was ended for taking too long, or said nonsense."""

    def __init__(self, how: str, *, by_signal: bool) -> None:
        super().__init__(how)
        #: Whether the file was to blame: a limit of the system or of the clock struck.
        self.by_signal = by_signal


@dataclass(frozen=True)
class Allowance:
    """What a decoder may take for one file."""

    max_bytes: int
    max_pixels: int
    #: Of processor time.
    seconds: int
    #: Until it is killed, however little it does.
    patience: float


class Decoder:
    """A running process that reads one file after the other.

    Raises:
        DecoderLost: the system starts no process.
    """

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        #: How many files it was given.
        self.served = 0
        bounds = (allowance.max_bytes, allowance.max_pixels, allowance.seconds)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", MODULE, *map(str, bounds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=ROOT.anchor,
                env=_environment(os.environ),
                start_new_session=True,  # a Ctrl-C is the bot's to hear
            )
        except OSError as error:
            raise DecoderLost(f"it does not start: {error}", by_signal=False) from error
        self._input = cast(BinaryIO, self._process.stdin)
        self._output = cast(BinaryIO, self._process.stdout)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ask(self, head: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """Give it a file and wait for the answer; blocks.

        Raises:
            DecoderLost: no answer came; the process is of no more use.
        """
        self.served += 1
        watch = threading.Timer(self.allowance.patience, self.kill)
        watch.start()
        try:
            frames.write(self._input, head, body)
            # The answer's PNG may be larger than the file, never larger than its bare pixels.
            answer = frames.read(self._output, 5 * self.allowance.max_pixels + OVERHEAD)
        except (OSError, ValueError, frames.FrameError) as error:
            raise self._loss() from error
        finally:
            watch.cancel()
        if answer is None:
            raise self._loss()
        return answer

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def _loss(self) -> DecoderLost:
        code = self.end()
        if code < 0:
            return DecoderLost(f"it was ended by signal {-code}", by_signal=True)
        return DecoderLost(f"it ended with code {code}", by_signal=False)

    def end(self) -> int:
        """See that it is gone, and return its exit code, of a signal its negative number."""
        try:
            self._input.close()
        except OSError:
            log.debug("A decoder's input was closed already.")
        try:
            code = self._process.wait(END_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        self._output.close()
        return code


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    return {name: own[name] for name in KEPT if name in own} | MEMORY | {"PYTHONPATH": str(ROOT)}
