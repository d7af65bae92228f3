"""What a job will cost and when it will be ready, from what the last jobs took.

A cost comes from a job's options and sizes, and from what jobs like it came to.

How fast the workers are is what the last jobs ran by the time that their networks worked. When a
job is ready is foretold by that, by what runs beside it and waits ahead, and by what the last jobs
like it took of what was so reckoned; how far that may be off, by what it was off for the last jobs
of all kinds. So the range holds whatever the sum leaves out: batches, jobs that come later,
decoding, a machine with something else to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import statistics
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from bot.dispatcher.known_checkpoints import KnownCheckpoints
from bot.i18n.message import TranslatableMessage, gettext_noop
from bot.uploads.plain_images import HEADER_BYTES, plain_image_size
from inference.api.jobs import (
    DenoisingJob,
    InterrogateJob,
    Job,
    PreviewJob,
    decode_job,
    estimate_cost,
)
from inference.api.jobs.price import UPSCALE_TFLOP, ModelFrame, UpscalerSize
from inference.api.workers import WorkerPool
from storage.blobs import BlobStore
from storage.records import JobRecord, JobRequest, JobState, QueuePlace

#: Jobs that count.
MAX_LEARNED_JOBS = 32
#: Jobs of the same make that count: few, since a machine is not always as busy.
MAX_SIMILAR_JOBS = 8
#: How far apart prices of like jobs may be for one to be said, and the ends of a range of time:
#: what says less than that says nothing.
MAX_SAID_SPREAD = 3.0
MAX_SAID_TIME_SPREAD = 5.0
#: Seconds that a job takes beside its networks: to be read, written and handed over.
OTHER_SECONDS = 1.0
#: While nothing is known yet of how far foretelling is off: as much as may be said.
INITIAL_ERROR_RATIOS = (1 / math.sqrt(MAX_SAID_SPREAD), math.sqrt(MAX_SAID_SPREAD))
#: What the range leaves out at each end of the last jobs' errors: of ten jobs that come eight shall
#: be ready within it, and the next errors are larger than the last ones where they change.
EXCLUDED_SHARE = 0.05
#: How ranges are said: in the largest unit of which there are at least a few.
TIME_UNITS = ((3600, gettext_noop("h")), (60, gettext_noop("min")), (1, gettext_noop("s")))
MIN_UNIT_COUNT = 1.5
#: Foretellings that are kept until their jobs end.
MAX_PENDING_FORECASTS = 4096
#: How much of a known ratio the next job of the kind changes.
NEWEST_RATIO_WEIGHT = 0.3
#: Kinds of work that are known; the one that came longest ago is forgotten.
MAX_KNOWN_RATIOS = 1024
#: Stands for all jobs, whatever they share.
ANY_JOB: tuple[str, ...] = ()
#: Which part of the work before a job and its own may be reckoned as jobs in general.
MAX_GENERAL_SHARE = 0.5
#: Kinds whose first job loads its network within the time that is counted: it says nothing of the
#: next one.
SELF_LOADING_KINDS = (InterrogateJob.kind,)
#: Of those: how many must have run before the next one's time is foretold.
MIN_SELF_LOADED_RUNS = 2
#: What two jobs must share for the one to say what the other will cost.
SIMILARITY_FIELDS = ("model", "upscaler", "second", "mode", "method", "area")

Value = TypeVar("Value")


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
        self._measured_runs: deque[tuple[float, float]] = deque(maxlen=MAX_LEARNED_JOBS)
        #: The same of jobs that are alike, and of each model's: a TFLOP of a small network, or of
        #: another method's, takes another time.
        self._runs_by_likeness: OrderedDict[tuple[str, ...], deque[tuple[float, float]]] = (
            OrderedDict()
        )
        #: What came by what was foretold.
        self._error_ratios: deque[float] = deque(maxlen=MAX_LEARNED_JOBS)
        #: Of like jobs: what came by what was reckoned.
        self._time_ratios: OrderedDict[tuple[str, ...], deque[float]] = OrderedDict()
        #: Of jobs under way: when they were asked for, what was reckoned and what was foretold, in
        #: seconds.
        self._forecasts: OrderedDict[str, tuple[float, float, float]] = OrderedDict()

    def learn_from(self, record: JobRecord) -> None:
        """Learn from a job that came to its end."""
        prediction = self._forecasts.pop(record.id, None)
        seconds = float((record.result or {}).get("charged", 0.0))
        if record.state is not JobState.DONE or record.stopping or seconds <= 0:
            return
        if record.kind != PreviewJob.kind:  # whose seconds are a processor's
            self._measured_runs.append((record.charged, seconds))
        for key in _record_keys(record):
            _append_similar(self._runs_by_likeness, key, (record.charged, seconds))
        if prediction is not None:
            asked_at, reckoned_seconds, expected_seconds = prediction
            taken_seconds = self._clock() - asked_at
            self._error_ratios.append(taken_seconds / expected_seconds)
            for key in (*_record_keys(record), ANY_JOB):
                _append_similar(self._time_ratios, key, taken_seconds / reckoned_seconds)

    def gpu_seconds(self, cost: float) -> float | None:
        """Give the GPU-seconds that so many TFLOP take; None before anything was measured."""
        return _seconds_at_rate(self._measured_runs, cost)

    def job_gpu_seconds(self, record: JobRecord) -> float | None:
        """Give the GPU-seconds that a job takes; None where what is known of its like says little.

        That is before one of its like has run, and while the last of them differ too much.
        """
        return self._own_seconds(record, record.cost)

    def job_forecast(self, job: JobRequest) -> float | None:
        """Give the GPU-seconds that a job is thought to take; None before anything has run."""
        similar_runs = self._similar_runs(job)
        if not similar_runs:
            return self.gpu_seconds(job.cost)
        return _typical_seconds(similar_runs, job.cost, max_spread=math.inf)

    def forecast_new_job(self, record: JobRecord, place: QueuePlace) -> TimeRange | None:
        """Foretell when a new job is ready, and remember that."""
        reckoned_seconds = self._reckoned_seconds(record, place)
        if reckoned_seconds is None:
            return None
        expected_seconds = reckoned_seconds * self._time_ratio(record)
        if expected_seconds > 0 and not record.state.is_terminal:
            self._forecasts[record.id] = (self._clock(), reckoned_seconds, expected_seconds)
            if len(self._forecasts) > MAX_PENDING_FORECASTS:
                self._forecasts.popitem(last=False)
        return self._likely_range(expected_seconds)

    def expected_ready(self, record: JobRecord, place: QueuePlace) -> TimeRange | None:
        """Foretell when a job that waits or runs is ready."""
        reckoned_seconds = self._reckoned_seconds(record, place)
        return self._likely_range(
            None if reckoned_seconds is None else reckoned_seconds * self._time_ratio(record)
        )

    def expected_free(self, place: QueuePlace) -> TimeRange | None:
        """Foretell when a job starts that stands at a place."""
        general_seconds, ready_workers = (
            self.gpu_seconds(place.running_cost + place.ahead_cost),
            self._ready_workers,
        )
        seconds = (
            None
            if general_seconds is None
            else general_seconds + place.running_seconds + place.ahead_seconds
        )
        return self._likely_range(
            seconds / ready_workers if seconds is not None and ready_workers else None
        )

    @property
    def _ready_workers(self) -> int:
        return sum(worker.ready for worker in self._service.worker_statuses)

    def _similar_runs(self, record: JobRequest) -> Collection[tuple[float, float]]:
        for key in _record_keys(record):
            if key in self._runs_by_likeness:
                return self._runs_by_likeness[key]
        return ()

    def _own_seconds(self, record: JobRequest, cost: float) -> float | None:
        similar_runs = self._similar_runs(record)
        if record.kind in SELF_LOADING_KINDS and len(similar_runs) < MIN_SELF_LOADED_RUNS:
            return None
        return _typical_seconds(similar_runs, cost, MAX_SAID_SPREAD)

    def _time_ratio(self, record: JobRequest) -> float:
        """Give what jobs took by what was reckoned, of those that are most like this one."""
        for key in (*_record_keys(record), ANY_JOB):
            if key in self._time_ratios:
                return statistics.median(self._time_ratios[key])
        return 1.0

    def _reckoned_seconds(self, record: JobRecord, place: QueuePlace) -> float | None:
        """Share work out among the workers; a job's own is done by one of them.

        Jobs that run beside it take turns with it, those that come while it runs do so too, and
        those that end do so no more: so what runs now counts for half, as the middle of its ratio.
        None where most of the work is of jobs that nothing was known of when they were asked for.
        """
        own_seconds = self._own_seconds(record, _remaining_cost(record))
        general_ahead, general_running, workers = (
            self.gpu_seconds(place.ahead_cost),
            self.gpu_seconds(place.running_cost),
            self._ready_workers,
        )
        if own_seconds is None or general_ahead is None or general_running is None or not workers:
            return None
        ahead_seconds = place.ahead_seconds + general_ahead
        # What runs has the job in it, if it runs itself.
        running_seconds = place.running_seconds + general_running
        beside_seconds = max(0.0, running_seconds - (0.0 if place.position else own_seconds))
        total_seconds = own_seconds + ahead_seconds + beside_seconds
        if general_ahead + general_running > MAX_GENERAL_SHARE * total_seconds:
            return None
        least_seconds = OTHER_SECONDS + own_seconds + ahead_seconds / workers
        return math.sqrt(least_seconds * (least_seconds + beside_seconds / workers))

    def _likely_range(self, expected_seconds: float | None) -> TimeRange | None:
        if expected_seconds is None:
            return None
        low, high = _usual_ends((*self._error_ratios, *INITIAL_ERROR_RATIOS))
        if high > MAX_SAID_TIME_SPREAD * low * (1 + 1e-9):
            return None
        return TimeRange(expected_seconds * low, expected_seconds * high)


def _remaining_cost(record: JobRecord) -> float:
    share = min(1.0, record.step / record.steps) if record.steps else 0.0
    return record.cost * (1 - share)


def _usual_ends(values: Iterable[float]) -> tuple[float, float]:
    """Return between which values all lie but the usual share at each end."""
    ordered_values = sorted(values)
    excluded_count = math.floor(EXCLUDED_SHARE * len(ordered_values))
    return ordered_values[excluded_count], ordered_values[-1 - excluded_count]


def _typical_seconds(
    measured_runs: Iterable[tuple[float, float]], cost: float, max_spread: float
) -> float | None:
    """Give the seconds of so much work at the middle rate; None where the rates differ too much."""
    rates = [seconds / work for work, seconds in measured_runs if work > 0]
    if not rates:
        return None
    low, high = _usual_ends(rates)
    return None if high > max_spread * low else cost * statistics.median(rates)


def _append_similar(
    known_values: OrderedDict[tuple[str, ...], deque[Value]], key: tuple[str, ...], value: Value
) -> None:
    """Add to what is known of like jobs; what came longest ago is forgotten."""
    known_values.setdefault(key, deque(maxlen=MAX_SIMILAR_JOBS)).append(value)
    known_values.move_to_end(key)
    if len(known_values) > MAX_KNOWN_RATIOS:
        known_values.popitem(last=False)


def _seconds_at_rate(measured_runs: Iterable[tuple[float, float]], cost: float) -> float | None:
    work, seconds = (sum(column) for column in zip((0.0, 0.0), *measured_runs, strict=True))
    return cost * seconds / work if work > 0 else None


class CostEstimator:
    """Prices jobs; remembers how large each model's own pictures are while no worker is up."""

    def __init__(self, blobs: BlobStore, service: WorkerPool) -> None:
        self._blobs = blobs
        self._service = service
        self._checkpoints = KnownCheckpoints(service)
        self._upscalers: dict[str, UpscalerSize] = {}
        #: What came by what was thought, for each kind of work, and for a model's jobs in general.
        self._cost_ratios: dict[tuple[str, ...], float] = {}

    def job_cost(self, job: Job, image: bytes | None) -> float:
        """Price a job with its picture, in TFLOP."""
        known_ratios = (
            self._cost_ratios[name] for name in _ratio_keys(job) if name in self._cost_ratios
        )
        source = None if image is None else plain_image_size(image[:HEADER_BYTES])
        return self._estimate(job, source) * next(known_ratios, 1.0)

    async def learn_from(self, record: JobRecord) -> bool:
        """Learn from a job that is done, not from one that ran only in part.

        True when it is the first of its model to tell what the model's pictures come to.
        """
        if record.attempt > 1 or record.stopping or record.charged in (0.0, record.cost):
            return False
        job = decode_job(record.kind, record.params)
        ratio = record.charged / await self._predicted_cost(job, record.inputs)
        ratio_keys = _ratio_keys(job)
        is_first_of_model = len(ratio_keys) > 1 and ratio_keys[-1] not in self._cost_ratios
        for ratio_key in ratio_keys:
            old_ratio = self._cost_ratios.pop(ratio_key, ratio)
            self._cost_ratios[ratio_key] = old_ratio + NEWEST_RATIO_WEIGHT * (ratio - old_ratio)
        while len(self._cost_ratios) > MAX_KNOWN_RATIOS:
            self._cost_ratios.pop(next(iter(self._cost_ratios)))
        return is_first_of_model

    async def _predicted_cost(self, job: Job, inputs: Mapping[str, str]) -> float:
        source = await asyncio.to_thread(self._stored_image_size, inputs.get("image"))
        return self._estimate(job, source)

    def _estimate(self, job: Job, source: tuple[int, int] | None) -> float:
        natural, multiple = self.model_frame(job)
        return estimate_cost(
            job,
            source,
            natural,
            multiple=multiple,
            upscalers=self._known_upscalers(),
            is_instructed=self._checkpoints.is_instructed(str(getattr(job, "model", ""))),
        )

    def _known_upscalers(self) -> Mapping[str, UpscalerSize]:
        """Return what a pass of each upscaler comes to, as workers told it when last up."""
        self._upscalers |= {
            model.name: UpscalerSize(model.size, model.tflop or UPSCALE_TFLOP)
            for worker in self._service.worker_statuses
            for model in worker.models
            if model.kind == "upscaler" and model.size > 0
        }
        return self._upscalers

    def native_size(self, job: Job) -> int:
        """Return the side of the job's model's own pictures, in pixels, as workers told it."""
        return self.model_frame(job).natural

    def model_frame(self, job: Job) -> ModelFrame:
        """Return what sizes the job's model's pictures have, as workers told it."""
        name = str(getattr(job, "model", ""))
        return ModelFrame(
            self._checkpoints.native_side(name), self._checkpoints.size_multiple(name)
        )

    def _stored_image_size(self, key: str | None) -> tuple[int, int] | None:
        """Read a stored picture's size out of its header; None where there is none to read."""
        if key is None:
            return None
        with contextlib.suppress(OSError), self._blobs.path_of(key).open("rb") as file:
            return plain_image_size(file.read(HEADER_BYTES))
        return None


def _ratio_keys(job: Job) -> tuple[tuple[str, ...], ...]:
    """Name what other jobs say what this one costs, the nearest first: its like, its model's."""
    similarity_key = (job.kind, *(str(getattr(job, name, "")) for name in SIMILARITY_FIELDS))
    return (similarity_key, (job.model,)) if isinstance(job, DenoisingJob) else (similarity_key,)


def _record_keys(record: JobRequest) -> tuple[tuple[str, ...], ...]:
    """Name what other jobs say how long this one takes, the nearest first."""
    model = record.affinity or ""
    fields = (str(record.params.get(name)) for name in SIMILARITY_FIELDS if name != "model")
    similarity_key = (record.kind, model, *fields)
    return (similarity_key, (record.kind, model))[: 2 if model else 1]
