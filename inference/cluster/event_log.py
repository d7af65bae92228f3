"""Events with numbers, which stay until whoever listens has taken them."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace

from inference.api.messages import Event, JobProgress, JobsWaiting


@dataclass(frozen=True)
class LoggedEvent:
    """An event, its number and the worker it is about."""

    number: int
    worker: str
    event: Event


class EventLog:
    """What was said and is not taken yet: said again until it is."""

    def __init__(self) -> None:
        self._last_number = 0
        #: The highest number that was asked beyond: what is above may still be replaced.
        self._read_number = 0
        self._entries: dict[int, LoggedEvent] = {}
        self._has_news = asyncio.Event()

    def add_event(self, worker: str, event: Event) -> None:
        """Add an event; a step takes the place of the job's last one where nobody has read that."""
        for entry in list(self._entries.values()):
            if entry.number > self._read_number and entry.worker == worker:
                event, is_outdated = _replace_event(entry.event, event)
                if is_outdated:
                    del self._entries[entry.number]
        self._last_number += 1
        self._entries[self._last_number] = LoggedEvent(self._last_number, worker, event)
        self._has_news.set()

    async def wait_beyond(self, number: int, timeout_seconds: float) -> list[LoggedEvent]:
        """List what is above a number, in order; nothing where nothing came within the time."""
        self._read_number = max(self._read_number, number)
        if not self._list_beyond(number):
            self._has_news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._has_news.wait(), timeout_seconds)
        return self._list_beyond(number)

    def _list_beyond(self, number: int) -> list[LoggedEvent]:
        return [entry for entry in self._entries.values() if entry.number > number]

    def take_until(self, number: int) -> list[LoggedEvent]:
        """Take out what has a number up to this one."""
        numbers = [entry_number for entry_number in self._entries if entry_number <= number]
        return [self._entries.pop(entry_number) for entry_number in numbers]

    @property
    def has_entries(self) -> bool:
        """Whether something was said that is not taken yet."""
        return bool(self._entries)

    @property
    def entries(self) -> list[LoggedEvent]:
        """All that is not taken, in order."""
        return list(self._entries.values())

    @property
    def last_number(self) -> int:
        """The number of the newest event."""
        return self._last_number


def _replace_event(earlier: Event, later: Event) -> tuple[Event, bool]:
    """Say whether a later event makes an earlier one needless, and what it takes over from it."""
    match earlier, later:
        case JobsWaiting(), JobsWaiting():
            return later, True
        case JobProgress(), JobProgress() if (earlier.job_id, earlier.attempt) == (
            later.job_id,
            later.attempt,
        ):
            return replace(later, preview=later.preview or earlier.preview), True
        case _:
            return later, False
