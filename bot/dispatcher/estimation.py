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

from bot.i18n.message import TranslatableMessage, gettext_noop
from inference.api.workers import WorkerPool
from storage.records import JobRecord, JobState, QueuePlace

#: Jobs that count.
MAX_LEARNED_JOBS = 32
#: While nothing is known yet of how far foretelling is off: by half or double.
INITIAL_ERROR_RATIOS = (0.5, 2.0)
#: What the range leaves out at each end: of ten jobs, eight shall be ready within it.
EXCLUDED_SHARE = 0.1
#: How ranges are said: in the largest unit of which there are at least a few.
TIME_UNITS = ((3600, gettext_noop("h")), (60, gettext_noop("min")), (1, gettext_noop("s")))
MIN_UNIT_COUNT = 1.5
#: Foretellings that are kept until their jobs end.
MAX_PENDING_FORECASTS = 4096


@dataclass(frozen=True)
class TimeRange:
    """From how many seconds to how many."""

    low: float
    high: float


def format_range(time_range: TimeRange) -> TranslatableMessage:
    """Say a range of time as people do, no more exact than it is."""
    unit, name = next(
        (unit, name)
        for unit, name in TIME_UNITS
        if time_range.high >= MIN_UNIT_COUNT * unit or unit == 1
    )
    low, high = (round(bound / unit) for bound in (time_range.low, time_range.high))
    if high < 1:
        return TranslatableMessage("a moment")
    message_args = {"low": low, "high": high, "unit": TranslatableMessage(name)}
    if low < 1:
        return TranslatableMessage("up to {high} {unit}", **message_args)
    if low == high:
        return TranslatableMessage("about {high} {unit}", **message_args)
    return TranslatableMessage("{low} to {high} {unit}", **message_args)


class EtaEstimator:
    """Learns from jobs that are done; foretells those that are not."""

    def __init__(self, service: WorkerPool, clock: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._clock = clock
        #: TFLOP and seconds of the GPU of the last jobs.
        self._ran: deque[tuple[float, float]] = deque(maxlen=MAX_LEARNED_JOBS)
        #: The same of each kind of job and model: a small network takes far longer for a TFLOP.
        self._alike: OrderedDict[tuple[str, str | None], deque[tuple[float, float]]] = OrderedDict()
        #: What came by what was foretold.
        self._off: deque[float] = deque(maxlen=MAX_LEARNED_JOBS)
        #: Of jobs under way: when they were asked for, and what was foretold, in seconds.
        self._foretold: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def learn_from(self, record: JobRecord) -> None:
        """Learn from a job that came to its end."""
        prediction = self._foretold.pop(record.id, None)
        seconds = float((record.result or {}).get("charged", 0.0))
        if record.state is not JobState.DONE or record.stopping or seconds <= 0:
            return
        self._ran.append((record.charged, seconds))
        similar_runs = self._alike.setdefault(
            (record.kind, record.affinity), deque(maxlen=MAX_LEARNED_JOBS)
        )
        similar_runs.append((record.charged, seconds))
        if len(self._alike) > MAX_PENDING_FORECASTS:
            self._alike.popitem(last=False)
        if prediction is not None:
            asked_at, expected_seconds = prediction
            self._off.append((self._clock() - asked_at) / expected_seconds)

    def gpu_seconds(self, cost: float) -> float | None:
        """Give the GPU-seconds that so many TFLOP take; None before anything was measured."""
        return _seconds_at_rate(self._ran, cost)

    def job_gpu_seconds(self, record: JobRecord) -> float | None:
        """Give the GPU-seconds that a job takes; None before one of its kind and model has run."""
        return self._own_seconds(record, record.cost)

    def forecast_new_job(self, record: JobRecord, place: QueuePlace) -> TimeRange | None:
        """Foretell when a new job is ready, and remember that."""
        expected_seconds = self._expected_seconds(record, place)
        if expected_seconds is None:
            return None
        if expected_seconds > 0 and not record.state.is_terminal:
            self._foretold[record.id] = (self._clock(), expected_seconds)
            if len(self._foretold) > MAX_PENDING_FORECASTS:
                self._foretold.popitem(last=False)
        return self._likely_range(expected_seconds)

    def expected_ready(self, record: JobRecord, place: QueuePlace) -> TimeRange | None:
        """Foretell when a job that waits or runs is ready."""
        return self._likely_range(self._expected_seconds(record, place))

    def expected_free(self, place: QueuePlace) -> TimeRange | None:
        """Foretell when a job starts that stands at a place."""
        seconds, ready_workers = (
            self.gpu_seconds(place.running_cost + place.ahead_cost),
            self._ready_workers,
        )
        return self._likely_range(
            seconds / ready_workers if seconds is not None and ready_workers else None
        )

    @property
    def _ready_workers(self) -> int:
        return sum(worker.ready for worker in self._service.worker_statuses)

    def _own_seconds(self, record: JobRecord, cost: float) -> float | None:
        return _seconds_at_rate(self._alike.get((record.kind, record.affinity), ()), cost)

    def _expected_seconds(self, record: JobRecord, place: QueuePlace) -> float | None:
        """Share work out among the workers; a job's own is done by one of them."""
        own_seconds, ahead_seconds = (
            self._own_seconds(record, _remaining_cost(record)),
            self.gpu_seconds(_cost_ahead(place)),
        )
        if own_seconds is None or ahead_seconds is None or not self._ready_workers:
            return None
        # What runs has the job in it, if it runs itself.
        total_seconds = ahead_seconds + own_seconds if place.position else ahead_seconds
        return max(total_seconds / self._ready_workers, own_seconds)

    def _likely_range(self, expected_seconds: float | None) -> TimeRange | None:
        if expected_seconds is None:
            return None
        error_ratios = sorted((*self._off, *INITIAL_ERROR_RATIOS))
        excluded_count = math.floor(EXCLUDED_SHARE * len(error_ratios))
        return TimeRange(
            expected_seconds * error_ratios[excluded_count],
            expected_seconds * error_ratios[-1 - excluded_count],
        )


def _remaining_cost(record: JobRecord) -> float:
    share = min(1.0, record.step / record.steps) if record.steps else 0.0
    return record.cost * (1 - share)


def _cost_ahead(place: QueuePlace) -> float:
    """Add up what is done before a job's turn; running jobs share the GPU, so all of theirs."""
    return place.running_cost + (place.ahead_cost if place.position else 0.0)


def _seconds_at_rate(measured_runs: Iterable[tuple[float, float]], cost: float) -> float | None:
    work, seconds = (sum(column) for column in zip((0.0, 0.0), *measured_runs, strict=True))
    return cost * seconds / work if work > 0 else None
