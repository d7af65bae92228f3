"""A circuit breaker: a worker that keeps dying rests, and is tried once before it is trusted."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

#: Pauses before a worker that ended is started again, by how many ends there were lately.
RESTART_DELAYS_SECONDS = (0.2, 1.0)  # seconds
#: So many ends within so long open the breaker: a person has to look.
MAX_RECENT_FAILURES = 3
FAILURE_WINDOW_SECONDS = 600.0  # seconds
#: How long it stays open unless the host chose otherwise.
OPEN_SECONDS = 600.0  # seconds


@dataclass
class CircuitBreaker:
    """Closed it lets a worker start again soon, open after a rest, half open it trusts nobody."""

    #: Seconds between opening and the one try after it.
    open_seconds: float = OPEN_SECONDS
    #: Whether the worker that runs now is that one try.
    half_open: bool = False
    #: When workers ended, by the monotonic clock; and of these, those that held jobs.
    _failure_times: deque[float] = field(default_factory=deque)
    _job_failure_times: set[float] = field(default_factory=set)
    #: The jobs of which one may have ended the last worker.
    _suspects: frozenset[str] = frozenset()

    def record_failure(self, failed_at: float, jobs: Collection[str] = ()) -> float | None:
        """Count a worker's end at a monotonic time; return the pause in seconds, None to rest.

        `jobs` are the ids of those it held. Where some of them were held by the one before that
        ended, too, it is theirs, and does not count against the device.
        """
        common_suspects = self._suspects & frozenset(jobs)
        self._suspects = common_suspects or frozenset(jobs)
        if common_suspects:
            return RESTART_DELAYS_SECONDS[0]
        self._failure_times.append(failed_at)
        if jobs:
            self._job_failure_times.add(failed_at)
        while self._failure_times[0] < failed_at - FAILURE_WINDOW_SECONDS:
            self._job_failure_times.discard(self._failure_times.popleft())
        if self.half_open or len(self._failure_times) >= MAX_RECENT_FAILURES:
            self.half_open = True
            return None
        return RESTART_DELAYS_SECONDS[
            min(len(self._failure_times), len(RESTART_DELAYS_SECONDS)) - 1
        ]

    def record_success(self) -> bool:
        """Note that a job came to its end; True when that closes the breaker.

        A device that does a job is not what ended the workers that held others.
        """
        was_half_open, self.half_open = self.half_open, False
        self._failure_times = deque(
            failed_at
            for failed_at in self._failure_times
            if not was_half_open and failed_at not in self._job_failure_times
        )
        self._job_failure_times.clear()
        return was_half_open
