"""What the dispatcher asks of others and answers them: small frozen values and protocols."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NewType, Protocol, TypeVar

from bot.dispatcher.estimation import TimeRange
from inference.api.commands import DisplayLimits
from inference.api.jobs import Job
from inference.api.messages import JobProgress
from inference.api.notices import Notice
from storage.records import JobRecord, QueuePlace

T = TypeVar("T")

#: A job that `Dispatcher.check_job` has let pass, which alone makes one; its seed is drawn.
CheckedJob = NewType("CheckedJob", Job)


class WaitHook(Protocol):
    """The seam around every wait that may last for ever."""

    def __call__(self, awaitable: Awaitable[T], *, reason: str) -> Coroutine[Any, Any, T]:
        """Await something that only the outside world can bring about."""
        ...


async def plain_wait(awaitable: Awaitable[T], *, reason: str) -> T:
    """Await it; `reason` is for stand-ins that must tell waits apart."""
    return await awaitable


#: Tells the host, at once and without raising, what a person should look at.
HostAlert = Callable[[str], object]


class JobListener(Protocol):
    """Who tells the members; both methods return at once and never raise."""

    def on_progress(self, record: JobRecord, progress: JobProgress) -> None:
        """Note that a running job came a step further."""
        ...

    def on_job_ended(self, record: JobRecord) -> None:
        """Note that a job is done, failed or cancelled; the record says so already."""
        ...


class ClaimGuard(Protocol):
    """Who looks at a job once more when its turn has come; it never raises."""

    async def denial_reason(self, record: JobRecord) -> str | None:
        """Say why a job may no longer run, in words for its owner, or None."""
        ...


#: Tells the limits of the place where a job's result is shown.
DisplayLimitReader = Callable[[JobRecord], DisplayLimits]


def shown_nowhere(record: JobRecord) -> DisplayLimits:
    """Tell that a result is shown nowhere, as one of the command line."""
    return DisplayLimits()


@dataclass(frozen=True)
class DispatcherTiming:
    """How often the dispatcher looks and writes, in seconds."""

    #: Between two looks for leases that ran out.
    sweep_seconds: float = 5.0
    #: Pause after the store failed, so that a full disk is not asked a thousand times a second.
    store_pause_seconds: float = 2.0
    #: Between two renewals of one job's lease: far below any lease, far above a step.
    renew_seconds: float = 1.0


@dataclass(frozen=True)
class SubmitResult:
    """What the member is told at once."""

    record: JobRecord
    place: QueuePlace
    #: False when the same interaction had queued it before.
    created: bool
    workers_ready: int
    #: When it is ready, as far as that can be foretold.
    ready: TimeRange | None = None
    #: GPU-seconds that it will take; None before anything was measured.
    price: float | None = None
    #: Which models it waits for, where no worker that is up has them.
    missing: Notice | None = None
