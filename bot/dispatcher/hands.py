"""The jobs that workers have in hand, as far as this process knows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import monotonic

from storage.records import JobRecord

#: Between two renewals of one job's lease: far below any lease, far above a step.
RENEW_INTERVAL = 1.0  # seconds


@dataclass
class Held:
    """A job and the worker that has it."""

    record: JobRecord
    worker: str
    #: How far it is, in steps.
    step: int = 0
    #: How many it has in all; None before the first.
    steps: int | None = None
    #: What it was measured to have spent, in TFLOP; None where nothing was counted.
    spent: float | None = None
    renewed: float = field(default_factory=monotonic)

    @property
    def silent(self) -> float:
        """Seconds since its worker last made a step of any job, give or take a renewal's."""
        return monotonic() - self.renewed

    def due(self) -> bool:
        """Whether its lease should be renewed; asking counts as renewing."""
        now = monotonic()
        if now - self.renewed < RENEW_INTERVAL:
            return False
        self.renewed = now
        return True


class Hands:
    """Held jobs by id and attempt; a stranger's word about one counts for nothing."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], Held] = {}
        self.empty = asyncio.Event()
        self.empty.set()

    def hold(self, record: JobRecord, worker: str) -> Held:
        """Note that a worker takes a job."""
        held = self._held[record.id, record.attempt] = Held(record, worker)
        self.empty.clear()
        return held

    def find(self, worker: str, job_id: str, attempt: int) -> Held | None:
        """Find a job, if that worker holds that attempt of it."""
        held = self._held.get((job_id, attempt))
        return held if held is not None and held.worker == worker else None

    def release(self, job_id: str, attempt: int) -> Held | None:
        """Let go of a job, whoever holds it."""
        held = self._held.pop((job_id, attempt), None)
        if not self._held:
            self.empty.set()
        return held

    def of(self, worker: str | None = None) -> list[Held]:
        """List what one worker holds, or everything."""
        return [held for held in self._held.values() if worker in (None, held.worker)]
