from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio

from bot.dispatcher import Dispatcher, SubmitResult
from inference.api.jobs import Img2ImgJob
from inference.api.messages import JobProgress
from storage.blobs import BlobStore
from storage.database import Database
from storage.jobs import JobStore
from storage.records import JobRecord, QueueLimits
from tests.doubles.pictures import png
from tests.doubles.service import ScriptedService
from tests.storage.factories import quick_folder

LIMITS = QueueLimits(per_owner=20, per_guild=30, total=40)
PATIENCE = 60.0  # seconds
CAPACITY = 2


class Witness:
    """An announcer that remembers what it was told."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int]] = []
        self.settlements: list[JobRecord] = []

    def on_progress(self, record: JobRecord, progress: JobProgress) -> None:
        self.steps.append((record.id, progress.step))

    def on_job_ended(self, record: JobRecord) -> None:
        self.settlements.append(record)

    def only(self) -> JobRecord:
        (record,) = self.settlements
        return record


class Line:
    """A dispatcher between a real store and a scripted worker."""

    def __init__(self, database: Database, folder: Path, lease: timedelta) -> None:
        self.jobs = JobStore(database)
        self.blobs = BlobStore(folder / "blobs")
        self.service = ScriptedService(folder / "outbox", capacity=CAPACITY)
        self.witness = Witness()
        self.dispatcher = Dispatcher(
            self.jobs,
            self.blobs,
            self.service,
            limits=LIMITS,
            lease=lease,
            job_listener=self.witness,
        )
        self.asked = 0

    async def submit(self, owner: str = "ada", key: str | None = None, **more: Any) -> SubmitResult:
        self.asked += 1
        return await self.dispatcher.submit_job(
            job=more.pop("job", Img2ImgJob(prompt="a fox")),
            images=more.pop("images", {"image": png()}),
            owner=owner,
            guild="guild",
            reply_to="somewhere",
            idempotency_key=key or f"request-{self.asked}",
        )

    async def run(self, **more: Any) -> str:
        """Submit a job, wait until the worker has it, and return its id."""
        id = (await self.submit(**more)).record.id
        await until(lambda: id in self.service.held)
        return id

    async def settled(self, number: int = 1) -> JobRecord:
        """Wait until so many jobs have come to their end, and return the last."""
        await until(lambda: len(self.witness.settlements) >= number)
        return self.witness.settlements[-1]


async def until(test: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not test():  # noqa: ASYNC110 - the loops under test tell nobody
            await asyncio.sleep(0.002)


@pytest_asyncio.fixture
async def idle_line() -> AsyncIterator[Line]:
    """Give a line whose dispatcher has not been started."""
    with quick_folder() as folder:
        async with Database(folder / "easel.db") as database:
            yield Line(database, folder, timedelta(hours=1))


@pytest_asyncio.fixture
async def line(idle_line) -> AsyncIterator[Line]:
    """Give a line at work."""
    idle_line.dispatcher.start()
    yield idle_line
    await idle_line.dispatcher.stop(0)
