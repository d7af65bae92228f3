from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from storage.jobs import JobStore
from storage.records import JobRecord
from tests.storage.factories import LEASE, ROOMY, FakeClock, make_job, quick_folder


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def folder() -> Iterator[Path]:
    with quick_folder() as path:
        yield path


@pytest.fixture
async def database(folder: Path) -> AsyncIterator[Database]:
    async with Database(folder / "easel.db") as opened:
        yield opened


@pytest.fixture
def jobs(database: Database, clock: FakeClock) -> JobStore:
    return JobStore(database, clock)


@pytest.fixture
def enqueue(jobs: JobStore) -> Callable[..., Awaitable[JobRecord]]:
    async def add(**changes: Any) -> JobRecord:
        record, created = await jobs.queue.enqueue(make_job(**changes), ROOMY)
        assert created
        return record

    return add


@pytest.fixture
def claim(jobs: JobStore) -> Callable[..., Awaitable[JobRecord]]:
    async def take(worker: str = "gpu-0", **changes: Any) -> JobRecord:
        turn = await jobs.queue.quarantine_turn()
        if turn is not None and turn.group is not None and turn.is_next:  # it is tried apart
            (record,) = await jobs.queue.claim_quarantine(worker, LEASE, turn.group)
            return record
        first_record = await jobs.queue.claim(worker, LEASE, **changes)
        assert first_record is not None
        return first_record

    return take
