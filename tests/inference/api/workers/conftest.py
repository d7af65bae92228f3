from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from inference.api.commands import SubmitJob
from inference.api.config import EngineConfig
from inference.api.messages import Event, WorkerReady
from inference.api.workers import LocalWorkerPool, WorkerPool
from tests.doubles.service import ScriptedService
from tests.patience import PATIENCE

COMMAND = (sys.executable, str(Path(__file__).with_name("child.py")))
CAPACITY = 2


def submission(job_id: str = "a", attempt: int = 1) -> SubmitJob:
    return SubmitJob(job_id=job_id, attempt=attempt, kind="img2img", params={"steps": 1})


class Stage:
    """A service and the ways to let things happen behind it, whichever service it is."""

    def __init__(self, service: WorkerPool, outbox: Path) -> None:
        self.service = service
        self._outbox = outbox

    async def event(self) -> tuple[str, Event]:
        """Wait for the next event that is not a worker's greeting."""
        while True:
            worker, event = await asyncio.wait_for(self.service.next_event(), PATIENCE)
            if not isinstance(event, WorkerReady):
                return worker, event

    async def free(self) -> str:
        """Wait for a worker with room."""
        return await until(self.service.free_worker)

    def finish(self, job_id: str) -> None:
        if isinstance(self.service, ScriptedService):
            self.service.progress(1, 1, job_id)
            self.service.finish(job_id, images=0, text="done")
        else:
            (self._outbox / f"{job_id}.finish").touch()

    def fail(self, job_id: str) -> None:
        if isinstance(self.service, ScriptedService):
            self.service.fail("no", "input", job_id)
        else:
            (self._outbox / f"{job_id}.fail").touch()

    def kill(self) -> None:
        if isinstance(self.service, ScriptedService):
            self.service.lose_worker()
        else:
            self.service._slots[0].process.kill()


async def until(look: Callable[[], str | None]) -> str:
    """Look again and again until there is something."""
    async with asyncio.timeout(PATIENCE):
        while (found := look()) is None:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)
    return found


@pytest.fixture
def make_service(tmp_path, monkeypatch) -> Callable[..., LocalWorkerPool]:
    """Make services whose workers are scripted children of the given natures."""
    monkeypatch.setattr("inference.api.workers.circuit_breaker.RESTART_DELAYS_SECONDS", (0.01,))

    def make(*natures: str, command: tuple[str, ...] = COMMAND, **more: float) -> LocalWorkerPool:
        configs = tuple(
            EngineConfig(model=nature, outbox=str(tmp_path), max_jobs=CAPACITY)
            for nature in natures
        )
        return LocalWorkerPool(configs, command=command, **{"grace_seconds": 5.0, **more})

    return make


@pytest_asyncio.fixture(params=["local", "scripted"])
async def stage(request, tmp_path, make_service) -> AsyncIterator[Stage]:
    """Give each service in turn: what holds for one must hold for the other."""
    if request.param == "scripted":
        yield Stage(ScriptedService(tmp_path, capacity=CAPACITY), tmp_path)
        return
    async with make_service("good", grace_seconds=0) as service:
        yield Stage(service, tmp_path)
