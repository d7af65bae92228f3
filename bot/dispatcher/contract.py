"""What the dispatcher asks of others and answers them: small frozen values and protocols."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from bot.dispatcher.forecast import Span
from inference.events import Progress
from storage.records import JobRecord, QueuePlace

T = TypeVar("T")


class IdleWait(Protocol):
    """The seam around every wait that may last for ever."""

    def __call__(self, awaitable: Awaitable[T], *, reason: str) -> Coroutine[Any, Any, T]:
        """Await something that only the outside world can bring about."""
        ...


async def straight(awaitable: Awaitable[T], *, reason: str) -> T:
    """Just wait; `reason` is for stand-ins that must tell waits apart."""
    return await awaitable


#: Tells the host, at once and without raising, what a person should look at.
Alarm = Callable[[str], None]


#: Learns from a job that came to its end.
Learn = Callable[[JobRecord], Awaitable[None]]


async def nothing(record: JobRecord) -> None:
    """Learn nothing."""


class Announcer(Protocol):
    """Who tells the members; both methods return at once and never raise."""

    def progressed(self, record: JobRecord, progress: Progress) -> None:
        """Note that a running job came a step further."""
        ...

    def settled(self, record: JobRecord) -> None:
        """Note that a job is done, failed or cancelled; the record says so already."""
        ...


class Silence:
    """The announcer of those who look for themselves."""

    def progressed(self, record: JobRecord, progress: Progress) -> None:
        """Say nothing."""

    def settled(self, record: JobRecord) -> None:
        """Say nothing."""


class Admission(Protocol):
    """Who looks at a job once more when its turn has come; it never raises."""

    async def refusal(self, record: JobRecord) -> str | None:
        """Say why a job may no longer run, in words for its owner, or None."""
        ...


class EveryJob:
    """The admission of those who have no rules."""

    async def refusal(self, record: JobRecord) -> str | None:
        """Let it run."""
        return None


@dataclass(frozen=True)
class Submission:
    """What the member is told at once."""

    record: JobRecord
    place: QueuePlace
    #: False when the same interaction had queued it before.
    created: bool
    workers_ready: int
    #: When it is ready, as far as that can be foretold.
    ready: Span | None = None
    #: GPU-seconds that it will take; None before anything was measured.
    price: float | None = None
