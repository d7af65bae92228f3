"""When a job will be ready and what it takes of the GPU, from what the last jobs took.

How fast the workers are is what the last jobs ran by the time that their networks worked. How far
that may be off is what it was off by for the last jobs: what was foretold when they were asked for
against what came. So the range holds whatever the sum leaves out: batches, jobs that come later,
decoding, a machine with something else to do.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bot.sentences import Sentence, english
from inference.service import Service
from storage.records import JobRecord, JobState, QueuePlace

#: Jobs that count.
LAST = 32
#: While nothing is known yet of how far foretelling is off: by half or double.
DOUBT = (0.5, 2.0)
#: What the range leaves out at each end: of ten jobs, eight shall be ready within it.
OUTSIDE = 0.1
#: How ranges are said: in the largest unit of which there are at least a few.
UNITS = ((3600, english("h")), (60, english("min")), (1, english("s")))
FEW = 1.5
#: Foretellings that are kept until their jobs end.
MOST = 4096


@dataclass(frozen=True)
class Span:
    """From how many seconds to how many."""

    low: float
    high: float


def span(seconds: Span) -> Sentence:
    """Say a range of time as people do, no more exact than it is."""
    unit, name = next(
        (unit, name) for unit, name in UNITS if seconds.high >= FEW * unit or unit == 1
    )
    low, high = (round(each / unit) for each in (seconds.low, seconds.high))
    if high < 1:
        return Sentence("a moment")
    said = {"low": low, "high": high, "unit": Sentence(name)}
    if low < 1:
        return Sentence("up to {high} {unit}", **said)
    if low == high:
        return Sentence("about {high} {unit}", **said)
    return Sentence("{low} to {high} {unit}", **said)


class Forecast:
    """Learns from jobs that are done; foretells those that are not."""

    def __init__(self, service: Service, clock: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._clock = clock
        #: TFLOP and seconds of the GPU of the last jobs.
        self._ran: deque[tuple[float, float]] = deque(maxlen=LAST)
        #: The same of each kind of job and model: a small network takes far longer for a TFLOP.
        self._alike: OrderedDict[tuple[str, str | None], deque[tuple[float, float]]] = OrderedDict()
        #: What came by what was foretold.
        self._off: deque[float] = deque(maxlen=LAST)
        #: Of jobs under way: when they were asked for, and what was foretold, in seconds.
        self._foretold: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def ended(self, record: JobRecord) -> None:
        """Learn from a job that came to its end."""
        foretold = self._foretold.pop(record.id, None)
        seconds = float((record.result or {}).get("charged", 0.0))
        if record.state is not JobState.DONE or record.stopping or seconds <= 0:
            return
        self._ran.append((record.charged, seconds))
        alike = self._alike.setdefault((record.kind, record.affinity), deque(maxlen=LAST))
        alike.append((record.charged, seconds))
        if len(self._alike) > MOST:
            self._alike.popitem(last=False)
        if foretold is not None:
            asked, expected = foretold
            self._off.append((self._clock() - asked) / expected)

    def seconds(self, cost: float) -> float | None:
        """Give the GPU-seconds that so many TFLOP take; None before anything was measured."""
        return _at_rate_of(self._ran, cost)

    def price(self, record: JobRecord) -> float | None:
        """Give the GPU-seconds that a job takes; None before one of its kind and model has run."""
        return self._own(record, record.cost)

    def asked(self, record: JobRecord, place: QueuePlace) -> Span | None:
        """Foretell when a new job is ready, and remember that."""
        expected = self._expected(record, place)
        if expected is None:
            return None
        if expected > 0 and not record.state.is_terminal:
            self._foretold[record.id] = (self._clock(), expected)
            if len(self._foretold) > MOST:
                self._foretold.popitem(last=False)
        return self._span(expected)

    def ready(self, record: JobRecord, place: QueuePlace) -> Span | None:
        """Foretell when a job that waits or runs is ready."""
        return self._span(self._expected(record, place))

    def free(self, place: QueuePlace) -> Span | None:
        """Foretell when a job starts that stands at a place."""
        seconds, ready = self.seconds(place.running_cost + place.ahead_cost), self._ready
        return self._span(seconds / ready if seconds is not None and ready else None)

    @property
    def _ready(self) -> int:
        return sum(worker.ready for worker in self._service.workers)

    def _own(self, record: JobRecord, cost: float) -> float | None:
        return _at_rate_of(self._alike.get((record.kind, record.affinity), ()), cost)

    def _expected(self, record: JobRecord, place: QueuePlace) -> float | None:
        """Share work out among the workers; a job's own is done by one of them."""
        own, ahead = self._own(record, _left(record)), self.seconds(_ahead(place))
        if own is None or ahead is None or not self._ready:
            return None
        # What runs has the job in it, if it runs itself.
        together = ahead + own if place.position else ahead
        return max(together / self._ready, own)

    def _span(self, expected: float | None) -> Span | None:
        if expected is None:
            return None
        off = sorted((*self._off, *DOUBT))
        aside = math.floor(OUTSIDE * len(off))
        return Span(expected * off[aside], expected * off[-1 - aside])


def _left(record: JobRecord) -> float:
    share = min(1.0, record.step / record.steps) if record.steps else 0.0
    return record.cost * (1 - share)


def _ahead(place: QueuePlace) -> float:
    """Add up what is done before a job's turn; running jobs share the GPU, so all of theirs."""
    return place.running_cost + (place.ahead_cost if place.position else 0.0)


def _at_rate_of(ran: Iterable[tuple[float, float]], cost: float) -> float | None:
    work, seconds = (sum(column) for column in zip((0.0, 0.0), *ran, strict=True))
    return cost * seconds / work if work > 0 else None
