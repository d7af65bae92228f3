"""Many jobs through the store, the dispatcher and a fake engine in a process of its own.

`python -m benchmarks soak [--jobs N] [--at-once N] [--folder FOLDER]`. Says whether memory grows
over the second half, and how late the event loop is with so many jobs outstanding.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import io
import os
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.table import show
from bot.dispatcher import Dispatcher
from inference.api.config import EngineConfig
from inference.api.jobs import Img2ImgJob
from inference.api.messages import JobProgress
from inference.api.workers import LocalWorkerPool
from storage.blobs import BlobStore
from storage.database import Database
from storage.jobs import JobStore
from storage.records import JobRecord, QueueLimits

#: The tests' worker, which answers every job with the picture that came in.
COMMAND = (sys.executable, "-m", "tests.inference.api.workers.child")
LIMITS = QueueLimits(per_owner=10**6, per_guild=10**6, total=10**6)
MEMBERS = 50
LOOK = 0.01  # seconds between two looks at the loop
SAMPLES = 40  # of memory in a run
#: SQLite's cache of the file fills up to its own bound, which takes more jobs than a run has: it is
#: made small here, so that only growth without a bound shows.
CACHE_KIBIBYTES = 2048
PAGE = os.sysconf("SC_PAGE_SIZE")


class Teller:
    """Notes every delivery as made, as if Discord had taken it."""

    def __init__(self, jobs: JobStore) -> None:
        self.jobs = jobs
        self.told = 0
        self.changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def on_progress(self, record: JobRecord, progress: JobProgress) -> None:
        """Show nothing."""

    def on_job_ended(self, record: JobRecord) -> None:
        """Deliver a job to nobody."""
        task = asyncio.create_task(self._tell(record.id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, id: str) -> None:
        await self.jobs.deliveries.begin_delivery(id)
        await self.jobs.deliveries.mark_delivered(id, "message")
        self.told += 1
        self.changed.set()


class Soak:
    """One run."""

    def __init__(self, jobs: int, at_once: int) -> None:
        self.jobs, self.at_once = jobs, at_once
        self.memory: list[int] = []
        self.lags: list[float] = []
        self._images = [_image(number) for number in range(16)]

    async def run(self, folder: Path) -> float:
        """Take all jobs through and return the seconds it took."""
        config = EngineConfig(model="eager", outbox=str(folder / "outbox"))
        async with Database(folder / "easel.db") as database:
            await database.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
            store, blobs = JobStore(database), BlobStore(folder / "blobs")
            async with LocalWorkerPool((config,), command=COMMAND, grace_seconds=0) as service:
                teller = Teller(store)
                dispatcher = Dispatcher(
                    store,
                    blobs,
                    service,
                    limits=LIMITS,
                    lease=timedelta(minutes=5),
                )
                dispatcher.subscribe(teller)
                dispatcher.start()
                watching = asyncio.create_task(self._watch())
                begin = time.perf_counter()
                await self._ask(dispatcher, teller)
                seconds = time.perf_counter() - begin
                watching.cancel()
                await dispatcher.stop(0)
        return seconds

    async def _ask(self, dispatcher: Dispatcher, teller: Teller) -> None:
        """Keep so many jobs outstanding until all are told."""
        asked = 0
        while teller.told < self.jobs:
            while asked < self.jobs and asked - teller.told < self.at_once:
                images = {"image": self._images[asked % len(self._images)]}
                job = Img2ImgJob(prompt=f"a fox, number {asked}", seed=asked)
                await dispatcher.submit_job(
                    job=dispatcher.check_job(job, images),
                    images=images,
                    owner=f"member-{asked % MEMBERS}",
                    guild="guild",
                    reply_to="",
                    idempotency_key=f"request-{asked}",
                )
                asked += 1
            teller.changed.clear()
            await teller.changed.wait()
            if teller.told >= len(self.memory) * self.jobs // SAMPLES:
                gc.collect()
                self.memory.append(_resident())

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LOOK
            await asyncio.sleep(LOOK)
            self.lags.append(loop.time() - due)

    @property
    def growth(self) -> float:
        """How much more memory was used at the end than in the middle, as a share.

        Both are medians of an eighth of the samples, since single ones jump.
        """
        part = max(1, len(self.memory) // 8)
        middle = len(self.memory) // 2
        before, after = (
            sorted(samples)[len(samples) // 2]
            for samples in (self.memory[middle : middle + part], self.memory[-part:])
        )
        return after / before - 1


def _image(number: int) -> bytes:
    values = np.random.default_rng(number).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def _resident() -> int:
    """Return this process's resident memory in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(prog="benchmarks soak", description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="a folder on the disk to work on")
    arguments = parser.parse_args()
    soak = Soak(arguments.jobs, arguments.at_once)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        seconds = asyncio.run(soak.run(Path(folder)))
    lags = sorted(1e3 * lag for lag in soak.lags)
    middle, end = soak.memory[len(soak.memory) // 2], soak.memory[-1]
    show(
        f"{soak.jobs} jobs through a fake engine, {soak.at_once} outstanding",
        ("what", "measured"),
        [
            ("jobs a second", f"{soak.jobs / seconds:.3g}"),
            ("resident memory, middle and end", f"{middle / 2**20:.1f} and {end / 2**20:.1f} MiB"),
            ("growth over the second half", f"{100 * soak.growth:.1f} %"),
            ("event loop late, median", f"{lags[len(lags) // 2]:.2f} ms"),
            ("event loop late, p99", f"{lags[len(lags) * 99 // 100]:.2f} ms"),
            ("event loop late, most", f"{lags[-1]:.2f} ms"),
        ],
    )


if __name__ == "__main__":
    main()
