"""The jobs that workers have in hand, as far as this process knows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import monotonic

from storage.records import JobRecord


@dataclass
class InFlightJob:
    """A job and the worker that has it."""

    record: JobRecord
    worker: str
    #: How far it is, in steps.
    step: int = 0
    #: How many it has in all; None before the first.
    steps: int | None = None
    #: What it was measured to have spent, in TFLOP; None where nothing was counted.
    spent_tflop: float | None = None
    renewed_at: float = field(default_factory=monotonic)

    @property
    def seconds_since_step(self) -> float:
        """Seconds since its worker last made a step of any job, give or take a renewal's."""
        return monotonic() - self.renewed_at

    def lease_renewal_due(self, interval_seconds: float) -> bool:
        """Whether its lease should be renewed; asking counts as renewing."""
        current_time = monotonic()
        if current_time - self.renewed_at < interval_seconds:
            return False
        self.renewed_at = current_time
        return True


class InFlightJobs:
    """Held jobs by id and attempt; a stranger's word about one counts for nothing."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], InFlightJob] = {}
        self.empty = asyncio.Event()
        self.empty.set()

    def add_job(self, record: JobRecord, worker: str) -> InFlightJob:
        """Note that a worker takes a job."""
        in_flight_job = self._held[record.id, record.attempt] = InFlightJob(record, worker)
        self.empty.clear()
        return in_flight_job

    def find_job(self, worker: str, job_id: str, attempt: int) -> InFlightJob | None:
        """Find a job, if that worker holds that attempt of it."""
        in_flight_job = self._held.get((job_id, attempt))
        return (
            in_flight_job if in_flight_job is not None and in_flight_job.worker == worker else None
        )

    def remove_job(self, job_id: str, attempt: int) -> InFlightJob | None:
        """Let go of a job, whoever holds it."""
        in_flight_job = self._held.pop((job_id, attempt), None)
        if not self._held:
            self.empty.set()
        return in_flight_job

    def held_by(self, worker: str | None = None) -> list[InFlightJob]:
        """List what one worker holds, or everything."""
        return [
            in_flight_job
            for in_flight_job in self._held.values()
            if worker in (None, in_flight_job.worker)
        ]
