"""What the storage's tests are made of."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from storage.records import DeliveryState, JobRecord, JobState, NewJob, QueueLimits

LEASE = timedelta(seconds=60)
ROOMY = QueueLimits(per_owner=10**6, per_guild=10**6, total=10**6)
IMAGE = "5e" * 32

MEMORY = Path("/dev/shm")

_numbers = itertools.count()


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory where the system has such, since a flush to a disk costs milliseconds."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as path:
        yield Path(path)


class FakeClock:
    """Both clocks, moved by hand and apart from each other."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
        self.steady = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.wall

    def steady_time(self) -> datetime:
        return self.steady

    def pass_time(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady += timedelta(seconds=seconds)


def make_job(**changes: Any) -> NewJob:
    values: dict[str, Any] = {
        "kind": "img2img",
        "params": {"prompt": "a fox"},
        "inputs": {"image": IMAGE},
        "owner": "ada",
        "guild": "guild",
        "reply_to": "somewhere",
        "idempotency_key": f"request-{next(_numbers)}",
        "cost": 1.0,
    }
    return NewJob(**{**values, **changes})


def make_record(**changes: Any) -> JobRecord:
    """A job as it stands in the store, by default just queued."""
    values: dict[str, Any] = {
        "kind": "img2img",
        "params": {},
        "inputs": {},
        "owner": "42",
        "reply_to": "",
        "idempotency_key": "k",
        "cost": 1.0,
        "id": "0123456789abcdefghjk",
        "state": JobState.QUEUED,
        "attempt": 0,
        "strikes": 0,
        "worker": None,
        "lease_until": None,
        "step": 0,
        "steps": None,
        "charged": 0.0,
        "created_at": datetime(2026, 1, 1, 12, tzinfo=UTC),
        "started_at": None,
        "finished_at": None,
        "result": None,
        "error": None,
        "delivery": DeliveryState.NONE,
        "deliveries": 0,
        "delivery_route": None,
        "delivery_note": None,
        "delivery_at": None,
        "message": None,
    }
    return JobRecord(**(values | changes))
