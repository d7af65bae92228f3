"""One job and what becomes of it, whatever becomes of its workers."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from inference.api.commands import SubmitJob
from inference.api.errors import NoWorker
from inference.api.messages import JobFinished, JobProgress, WorkerLost
from inference.api.workers import RemoteWorkerPool
from tests.doubles.images import encoded, noise
from tests.inference.api.workers.conftest import until
from tests.patience import PATIENCE


class JobWatch:
    """Does with one job what the dispatcher does: handed over anew when its worker is lost."""

    def __init__(self, service: RemoteWorkerPool, image: Path, steps: int = 200) -> None:
        self.service = service
        self.image, self.steps = image, steps
        self.attempt = 0
        self.worker = ""
        #: Ends that the store would take, and those that it would refuse.
        self.taken, self.refused = 0, 0
        self.losses: list[WorkerLost] = []
        self.step = 0

    async def hand_over(self, worker: str = "") -> None:
        """Hand the job to a worker, or to any that is free."""
        self.attempt += 1
        job = SubmitJob(
            job_id="a",
            attempt=self.attempt,
            kind="img2img",
            params={"steps": self.steps},
            inputs={"image": str(self.image)},
        )
        while True:
            self.worker = worker or await until(self.service.free_worker)
            with contextlib.suppress(NoWorker):
                await self.service.submit_job(self.worker, job)
                return

    async def watch_until(self, is_over) -> None:
        async with asyncio.timeout(PATIENCE):
            while not is_over():
                worker, event = await self.service.next_event()
                await self.handle(worker, event)

    async def handle(self, worker, event) -> None:
        is_ours = worker == self.worker and getattr(event, "attempt", 0) == self.attempt
        match event:
            case JobProgress() if is_ours:
                self.step = event.step
            case JobFinished() if is_ours:
                self.taken += 1
            case JobFinished():
                self.refused += 1
            case WorkerLost() if worker == self.worker:
                self.losses.append(event)
                await self.hand_over()


def write_photo(folder: Path) -> Path:
    path = folder / "photo.png"
    path.write_bytes(encoded(noise((64, 48))))
    return path
