"""A circuit breaker: a worker that keeps dying rests, and is tried once before it is trusted."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

#: Pauses before a worker that ended is started again, by how many ends there were lately.
BACKOFF = (0.2, 1.0)  # seconds
#: So many ends within so long open the breaker: a person has to look.
DEATHS = 3
RECENT = 600.0  # seconds
#: How long it stays open unless the host chose otherwise.
REST = 600.0  # seconds


@dataclass
class Breaker:
    """Closed it lets a worker start again soon, open after a rest, half open it trusts nobody."""

    #: Seconds between opening and the one try after it.
    rest: float = REST
    #: Whether the worker that runs now is that one try.
    trying: bool = False
    _deaths: deque[float] = field(default_factory=deque)

    def died(self, now: float) -> float | None:
        """Count a worker's end at a monotonic time; return the pause in seconds, None to rest."""
        self._deaths.append(now)
        while self._deaths[0] < now - RECENT:
            self._deaths.popleft()
        if self.trying or len(self._deaths) >= DEATHS:
            self.trying = True
            return None
        return BACKOFF[min(len(self._deaths), len(BACKOFF)) - 1]

    def worked(self) -> bool:
        """Note that a job came to its end; True when that closes the breaker."""
        if not self.trying:
            return False
        self.trying = False
        self._deaths.clear()
        return True
