"""What a worker holds, by job id and attempt."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

#: For so long a job that was called off counts as held where the worker does not confirm it.
CANCEL_CONFIRM_SECONDS = 60.0  # seconds


@dataclass
class HeldJobs:
    """The jobs of one worker; those that were called off take no place, but may yet end it."""

    _keys: set[tuple[str, int]] = field(default_factory=set)
    #: Those of them that were called off, which it has not confirmed yet, and when, by the
    #: monotonic clock.
    _cancelled_at: dict[tuple[str, int], float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many take a place."""
        return len(self._keys - set(self._cancelled_at))

    @property
    def keys(self) -> frozenset[tuple[str, int]]:
        """Id and attempt of each."""
        return frozenset(self._keys)

    def add_job(self, job_id: str, attempt: int) -> None:
        """Note that the worker is handed a job."""
        self._keys.add((job_id, attempt))

    def cancel_job(self, job_id: str, attempt: int) -> None:
        """Note that a job was called off."""
        if (job_id, attempt) in self._keys:
            self._cancelled_at[job_id, attempt] = time.monotonic()

    def remove_job(self, job_id: str, attempt: int) -> None:
        """Note that a job has ended."""
        self._keys.discard((job_id, attempt))
        self._cancelled_at.pop((job_id, attempt), None)

    def take_all(self) -> tuple[tuple[str, int], ...]:
        """Take out what is lost with the worker, in order.

        What was called off long ago is not: the worker knows nothing of it.
        """
        called_off_before = time.monotonic() - CANCEL_CONFIRM_SECONDS
        for key, cancelled_at in list(self._cancelled_at.items()):
            if cancelled_at < called_off_before:
                self.remove_job(*key)
        keys = tuple(sorted(self._keys))
        self._keys.clear()
        self._cancelled_at.clear()
        return keys
