from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from inference.api.commands import ConfigureLink, SubmitJob
from inference.api.config import EngineConfig
from inference.api.messages import Event, SearchEnded, WorkerReady
from inference.api.version import find_version
from inference.api.workers import LocalWorkerPool, RemoteWorkerPool, WorkerPool
from tests.doubles.service import ScriptedService
from tests.patience import PATIENCE

LINK_COMMAND = (sys.executable, "-m", "tests.inference.cluster.link_child")
COMMAND = (sys.executable, str(Path(__file__).with_name("child.py")))
CAPACITY = 2


def submission(job_id: str = "a", attempt: int = 1) -> SubmitJob:
    return SubmitJob(job_id=job_id, attempt=attempt, kind="img2img", params={"steps": 1})


class Stage:
    """A service and the ways to let things happen behind it, whichever service it is.

    `outbox` is the folder in which a scripted worker looks for what it is to do.
    """

    def __init__(self, service: WorkerPool, outbox: Path) -> None:
        self.service = service
        self._outbox = outbox

    async def event(self) -> tuple[str, Event]:
        """Wait for the next event that is neither a worker's greeting nor a link's."""
        while True:
            worker, event = await asyncio.wait_for(self.service.next_event(), PATIENCE)
            if not isinstance(event, WorkerReady | SearchEnded):
                return worker, event

    async def free(self) -> str:
        """Wait for a worker with room."""
        return await until(self.service.free_worker)

    async def arrive(self, *job_ids: str) -> None:
        """Wait until jobs that were handed over are with the worker."""
        for job_id in job_ids if not isinstance(self.service, ScriptedService) else ():
            await until((self._outbox / f"{job_id}.held").exists)

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
        elif isinstance(self.service, RemoteWorkerPool):
            (status,) = self.service.worker_statuses
            os.kill(find_pid(status.name), signal.SIGKILL)
        else:
            self.service._slots[0].process.kill()


def find_pid(worker: str) -> int:
    """Read the process id off a worker's name, `node/seat0-0-PID-…`."""
    return int(worker.split("-")[-2])


def configure_link(folder: Path, nature: str, **more: Any) -> ConfigureLink:
    """Configure a link whose workers are scripted children; `folder` is the bot's own."""
    outbox = folder / "outbox"
    outbox.mkdir(exist_ok=True)
    config = EngineConfig(model=nature, outbox=str(outbox), max_jobs=CAPACITY)
    settings = {"address": "", "namespace": "test", "token_path": ""}
    settings |= {"version": find_version(), "worker_command": COMMAND}
    return ConfigureLink(config=config, **(settings | more))


async def until(look: Callable[[], str | None]) -> str:
    """Look again and again until there is something."""
    async with asyncio.timeout(PATIENCE):
        while not (found := look()):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)
    return found


@contextlib.asynccontextmanager
async def hearing(service: WorkerPool) -> AsyncIterator[list[Event]]:
    """Take every event meanwhile, as who records what comes of it; give what was said."""
    events: list[Event] = []

    async def take_events() -> None:
        while True:
            events.append((await service.next_event())[1])

    task = asyncio.create_task(take_events())
    try:
        yield events
    finally:
        task.cancel()


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


@pytest_asyncio.fixture(params=["local", "scripted", "remote"])
async def stage(request, tmp_path, make_service) -> AsyncIterator[Stage]:
    """Give each service in turn: what holds for one must hold for the other."""
    if request.param == "scripted":
        yield Stage(ScriptedService(tmp_path, capacity=CAPACITY), tmp_path)
        return
    if request.param == "remote":
        node = tmp_path / "node"
        node.mkdir()
        command = (*LINK_COMMAND, str(node))
        async with RemoteWorkerPool(configure_link(tmp_path, "good"), command=command) as service:
            yield Stage(service, node / "outbox" / "seat0")
        return
    async with make_service("good", grace_seconds=0) as service:
        yield Stage(service, tmp_path)
