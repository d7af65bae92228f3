"""The worker's way out: one pipe, written by several threads, safe from stray prints."""

from __future__ import annotations

import os
import sys
import threading
from typing import BinaryIO

from inference.api import wire


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
        """Send one event."""
        with self._lock:
            try:
                wire.write_message(self._stream, event)
            except BrokenPipeError:
                return
