"""The worker's way out: one pipe, written by several threads, safe from stray prints."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import BinaryIO

from inference.api import wire
from inference.api.errors import WireError
from inference.api.messages import JobFailed, JobFinished
from inference.api.notices import Notice

log = logging.getLogger(__name__)


def reserve_stdout() -> BinaryIO:
    """Keep standard output for frames alone and send whatever libraries print to the errors."""
    sys.stdout.flush()
    private = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(private, "wb")


def open_stdin() -> BinaryIO:
    """Open standard input without a buffer: a thread that waits in one would block the exit."""
    return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)


class EventSender:
    """Sends events; a bot that is gone is no error here, the input's end will tell."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send_event(self, event: wire.Message) -> None:
        """Send one event; in place of one that is too large, say so of its job."""
        frame = _encode_event(event)
        with self._lock:
            try:
                self._stream.write(frame)
                self._stream.flush()
            except BrokenPipeError:
                return


def _encode_event(event: wire.Message) -> bytes:
    try:
        return wire.encode_message(event)
    except WireError:
        if not isinstance(event, JobFinished | JobFailed):
            raise
        log.exception("Job %s: its end is too long to be told.", event.job_id)
        return wire.encode_message(
            JobFailed(
                job_id=event.job_id,
                attempt=event.attempt,
                reason=Notice("job.result_too_long"),
                error_kind="input",
            )
        )
