"""Which of the first jobs in line goes to which worker: pure, so that it can be tried by itself.

Loading a checkpoint takes as long as several pictures. So a job goes to a worker that has its own
in memory, though others go past it for that, within bounds; and no worker stays idle for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

#: What loading a checkpoint takes, about: 2 to 7 GB from a disk or the network, onto a card.
LOAD_SECONDS = 8.0  # seconds
#: A job that the first jobs' work of so many seconds a worker went past is not passed over again.
PASSED_OVER_SECONDS = 20.0  # seconds


#: What a job takes of which nothing like it has run.
DEFAULT_JOB_SECONDS = 3.0  # seconds
#: One of several workers holds a batch and so many more, that none hoards what others could do.
JOBS_BEYOND_BATCH = 2
#: What a model's demand keeps with each further job, of whatever model.
DEMAND_KEPT = 0.99


@dataclass(frozen=True, kw_only=True)
class WaitingJob:
    """A job in line; the line is in the order of fairness."""

    id: str
    #: What must be loaded for it; None where that is nothing of weight.
    model: str | None
    #: Who has all that it names: workers by their names.
    workers: frozenset[str]
    #: Seconds of work that went past it, of workers that could have done it.
    passed_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class WorkerLoad:
    """A worker that takes jobs."""

    name: str
    #: Jobs it holds.
    held: int
    #: How many it may be given now.
    room: int
    #: What is loaded, or will be for what it holds.
    models: frozenset[str] = frozenset()
    #: Until what it holds is done, in seconds, loading with it.
    backlog_seconds: float = 0.0


class ModelDemand:
    """How much each model was wanted of late, in jobs."""

    def __init__(self) -> None:
        self.counts: dict[str, float] = {}

    def add_job(self, model: str | None) -> None:
        """Count a job."""
        counts = {name: count * DEMAND_KEPT for name, count in self.counts.items()}
        if model is not None:
            counts[model] = counts.get(model, 0.0) + 1.0
        self.counts = {name: count for name, count in counts.items() if count > 1 - DEMAND_KEPT}


@dataclass(frozen=True)
class Placement:
    """A job and who does it."""

    job: WaitingJob
    worker: str


def choose_placement(
    jobs: Sequence[WaitingJob], workers: Sequence[WorkerLoad], demand: Mapping[str, float]
) -> Placement | None:
    """Choose the next job and its worker; None where it is better, or necessary, to wait.

    In this order: a job that was passed over for long; the fairest that a worker has the model of,
    unless there it would wait longer than an idle worker needs to load; the fairest that an idle
    worker can do. Of several workers the soonest done is taken, or of the idle ones that have to
    load, the one whose own models are wanted least.

    Args:
        jobs: the first of the line, the fairest first.
        workers: all that take jobs.
        demand: how much each model was wanted of late, in jobs.
    """
    free = [worker for worker in workers if worker.room > 0]
    if not jobs or not free:
        return None
    values = _value_workers(jobs, workers, demand)
    for job in jobs:
        if job.passed_seconds >= PASSED_OVER_SECONDS * len(job.workers):
            worker = _soonest(job, _able(job, free), values)
            if worker is not None:
                return Placement(job, worker.name)
    for job in jobs:
        able = _able(job, free)
        holder = min(_holders(job, able), key=lambda w: w.backlog_seconds, default=None)
        if holder is not None and (
            holder.backlog_seconds <= LOAD_SECONDS or all(w.held for w in able)
        ):
            return Placement(job, holder.name)
    for job in jobs:
        idle = [worker for worker in _able(job, free) if worker.held == 0]
        if idle:
            return Placement(job, min(idle, key=lambda worker: values[worker.name]).name)
    return None


def list_passed_over(jobs: Iterable[WaitingJob], placement: Placement) -> list[WaitingJob]:
    """List the jobs that a placement goes past: fairer ones that its worker could do as well."""
    passed_jobs = []
    for job in jobs:
        if job.id == placement.job.id:
            break
        if placement.worker in job.workers:
            passed_jobs.append(job)
    return passed_jobs


def _able(job: WaitingJob, workers: Iterable[WorkerLoad]) -> list[WorkerLoad]:
    return [worker for worker in workers if worker.name in job.workers]


def _holders(job: WaitingJob, workers: Iterable[WorkerLoad]) -> list[WorkerLoad]:
    return [worker for worker in workers if job.model is None or job.model in worker.models]


def _soonest(
    job: WaitingJob, workers: Sequence[WorkerLoad], values: Mapping[str, float]
) -> WorkerLoad | None:
    """Take the worker that begins a job first, loading its model where it has to."""
    holders = {worker.name for worker in _holders(job, workers)}

    def begin_seconds(worker: WorkerLoad) -> tuple[float, float]:
        load_seconds = 0.0 if worker.name in holders else LOAD_SECONDS
        return worker.backlog_seconds + load_seconds, values[worker.name]

    return min(workers, key=begin_seconds, default=None)


def _value_workers(
    jobs: Iterable[WaitingJob], workers: Iterable[WorkerLoad], demand: Mapping[str, float]
) -> dict[str, float]:
    """Say how much what each worker has loaded is wanted, by how few have it."""
    copies = Counter(model for worker in workers for model in worker.models)
    line_demand = Counter(job.model for job in jobs)
    return {
        worker.name: sum(
            (line_demand[model] + demand.get(model, 0.0)) / copies[model] for model in worker.models
        )
        for worker in workers
    }
