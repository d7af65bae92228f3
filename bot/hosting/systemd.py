"""What a service manager is told: that Easel is ready, lives, and stops (sd_notify's protocol).

Source: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

from __future__ import annotations

import contextlib
import socket

#: In the address of a socket that lies in no folder.
ABSTRACT_MARK = "@"
#: For what is said once and changes what the manager does.
TURN_TIMEOUT_SECONDS = 1.0


class ServiceNotifier:
    """Sends states to the socket of who started Easel; without one it does nothing.

    Args:
        address: `$NOTIFY_SOCKET`: a path, or `@` and a name; None for nobody.
        watchdog_seconds: within which the manager wants to hear of us again; None for never.
    """

    def __init__(self, address: str | None = None, watchdog_seconds: float | None = None) -> None:
        self._address = address
        #: Between two signs of life: half of what the manager waits for.
        self.ping_interval_seconds = None if watchdog_seconds is None else watchdog_seconds / 2

    def notify_ready(self) -> None:
        """Say that members are served."""
        self._send_state("READY=1", TURN_TIMEOUT_SECONDS)

    def notify_stopping(self) -> None:
        """Say that the end begins."""
        self._send_state("STOPPING=1", TURN_TIMEOUT_SECONDS)

    def ping_watchdog(self) -> None:
        """Say that the event loop lives."""
        self._send_state("WATCHDOG=1")

    def show_status(self, words: str) -> None:
        """Say in a line how things are, which `systemctl status` shows."""
        self._send_state(f"STATUS={' '.join(words.split())}")

    def _send_state(self, state: str, timeout_seconds: float = 0.0) -> None:
        """Send one state; a manager that does not listen is no trouble of ours.

        Where its queue is full, this waits for `timeout_seconds` at most, which blocks the caller.
        """
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return
        address = self._address
        if address.startswith(ABSTRACT_MARK):
            address = "\0" + address[1:]
        with (
            contextlib.suppress(OSError, ValueError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel,
        ):
            channel.settimeout(timeout_seconds)
            channel.sendto(state.encode(), address)
