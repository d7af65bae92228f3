from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.dispatcher import Dispatcher, DispatcherTiming, SubmitResult
from bot.support.loops import LoopHealth
from bot.support.metrics import MetricsSink
from inference.api.jobs import Img2ImgJob
from inference.api.messages import JobProgress
from inference.api.workers import WorkerPool
from storage.blobs import BlobStore
from storage.database import Database
from storage.jobs import JobStore
from storage.records import JobRecord, QueueLimits
from tests.doubles.images import png
from tests.doubles.service import ScriptedService
from tests.patience import PATIENCE
from tests.storage.factories import quick_folder

LIMITS = QueueLimits(per_owner=20, per_guild=30, total=40)
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


class RecordedMetrics(MetricsSink):
    """Keeps what was measured."""

    def __init__(self) -> None:
        self.waits: list[timedelta] = []
        self.steps: list[int] = []

    def record_claim(self, wait_time: timedelta) -> None:
        self.waits.append(wait_time)

    def record_steps(self, steps: int, rows: int) -> None:
        self.steps.append(steps)


class Line:
    """A dispatcher between a real store and a scripted worker."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        lease: timedelta,
        timing: DispatcherTiming,
        service: WorkerPool | None = None,
        orphans: Collection[tuple[str, int, str]] | None = None,
    ) -> None:
        self.database = database
        self.folder = folder
        self.lease = lease
        self.timing = timing
        self.jobs = JobStore(database)
        self.blobs = BlobStore(folder / "blobs")
        self.service = ScriptedService(folder / "outbox", capacity=CAPACITY)
        self.witness = Witness()
        self.metrics = RecordedMetrics()
        self.alerts: list[str] = []
        self.health = LoopHealth()
        self.dispatcher = Dispatcher(
            self.jobs,
            self.blobs,
            service or self.service,
            limits=LIMITS,
            lease=lease,
            host_alert=self.alerts.append,
            metrics=self.metrics,
            health=self.health,
            timing=timing,
            orphans=orphans,
        )
        self.dispatcher.subscribe(self.witness)
        self.asked = 0

    async def submit(self, owner: str = "ada", key: str | None = None, **more: Any) -> SubmitResult:
        self.asked += 1
        images = more.pop("images", {"image": png()})
        return await self.dispatcher.submit_job(
            job=self.dispatcher.check_job(more.pop("job", Img2ImgJob(prompt="a fox")), images),
            images=images,
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


def at_pace(**options: Any) -> pytest.MarkDecorator:
    """Run a test's dispatcher with another lease or `DispatcherTiming`."""
    return pytest.mark.parametrize("idle_line", [options], indirect=True, ids=[""])


async def until(test: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not test():  # noqa: ASYNC110 - the loops under test tell nobody
            await asyncio.sleep(0.002)


@pytest_asyncio.fixture
async def idle_line(request: pytest.FixtureRequest) -> AsyncIterator[Line]:
    """Give a line whose dispatcher has not been started; the parameter is its pace."""
    options = dict(getattr(request, "param", {}))
    lease = options.pop("lease", timedelta(hours=1))
    with quick_folder() as folder:
        async with Database(folder / "easel.db") as database:
            yield Line(database, folder, lease, DispatcherTiming(**options))


@pytest_asyncio.fixture
async def line(idle_line) -> AsyncIterator[Line]:
    """Give a line at work."""
    idle_line.dispatcher.start()
    yield idle_line
    await idle_line.dispatcher.stop(0)
