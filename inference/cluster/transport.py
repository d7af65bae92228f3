"""How a seat is spoken to, whatever carries the calls."""

from __future__ import annotations

from typing import Any, Protocol


class SeatDied(Exception):
    """The process that hosts the seat has ended, or its node is gone for good."""


class SeatUnavailable(Exception):
    """Nobody answers just now; it may be alive all the same."""


class SeatTransport(Protocol):
    """Calls the methods of one `SeatHost`."""

    async def call_host(self, method: str, *arguments: Any) -> Any:
        """Call a method and give its answer.

        Raises:
            SeatDied: it will never answer.
            SeatUnavailable: it may have heard, or not.
            Exception: whatever the method raises.
        """
        ...

    def destroy_host(self) -> None:
        """End the host and its worker, reachable or not; returns at once."""
        ...
