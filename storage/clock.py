"""Two clocks: one for records, which may be set, and one for leases, which never steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Protocol

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ONE_MICROSECOND = timedelta(microseconds=1)


class Clock(Protocol):
    """What the storage asks about the time; both answers are aware and in UTC."""

    def now(self) -> datetime:
        """Return the wall clock's time, for records that people read."""
        ...

    def steady_time(self) -> datetime:
        """Return a time that only ever moves on, at the speed of seconds, for leases."""
        ...


class SystemClock:
    """The machine's clocks; `steady` starts at the wall clock's time and then ignores its steps."""

    def __init__(self) -> None:
        self._anchor = self.now()
        self._started = monotonic()

    def now(self) -> datetime:
        """Return the wall clock's time."""
        return datetime.now(UTC)

    def steady_time(self) -> datetime:
        """Return the anchor plus the seconds that passed since."""
        return self._anchor + timedelta(seconds=monotonic() - self._started)


def to_microseconds(moment: datetime) -> int:
    """Return whole microseconds since 1970, the form in which the database keeps a time."""
    return (moment - UNIX_EPOCH) // ONE_MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """Return the aware time, in UTC, that lies so many microseconds after 1970."""
    return UNIX_EPOCH + microseconds * ONE_MICROSECOND
