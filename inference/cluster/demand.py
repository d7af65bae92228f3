"""How many seats are worth having, by the work that waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

#: More GPU-seconds than this that wait for each worker are worth another, where they last.
BUSY_SECONDS = 60.0  # GPU-seconds
#: For so long they have to last.
OPEN_AFTER_SECONDS = 120.0  # seconds
#: A seat with nothing to do for so long is closed.
CLOSE_AFTER_SECONDS = 600.0  # seconds


class SeatDemand:
    """Decides when a seat is opened or closed, between two bounds."""

    def __init__(
        self, min_seats: int, max_seats: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._min_seats = min_seats
        self._max_seats = max_seats
        self._clock = clock
        #: Since when much has waited; None where it does not.
        self._busy_since: float | None = None

    def note_work(self, seconds: float) -> None:
        """Note how many GPU-seconds of work wait for each worker."""
        if seconds <= BUSY_SECONDS:
            self._busy_since = None
        elif self._busy_since is None:
            self._busy_since = self._clock()

    def find_opening(self, idle_since: Mapping[int, float]) -> int | None:
        """Give the number of a seat to open, or None; the keys are those of the open seats."""
        if len(idle_since) >= self._max_seats or self._busy_since is None:
            return None
        if self._clock() - self._busy_since < OPEN_AFTER_SECONDS:
            return None
        self._busy_since = self._clock()
        return next(number for number in range(self._max_seats) if number not in idle_since)

    def find_closing(self, idle_since: Mapping[int, float]) -> int | None:
        """Give the number of a seat to close, or None; `idle_since` is when each last worked."""
        if len(idle_since) <= self._min_seats or self._busy_since is not None:
            return None
        number = min(idle_since, key=lambda seat: (idle_since[seat], -seat))
        is_idle = self._clock() - idle_since[number] >= CLOSE_AFTER_SECONDS
        return number if is_idle else None
