"""What a cluster adds, and what one bot has only once: `python -m benchmarks scaling`."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from inference.api import wire
from inference.api.commands import SubmitJob
from inference.api.config import EngineConfig
from inference.api.messages import JobFinished, JobProgress, WorkerEvent
from inference.api.workers import LocalWorkerPool, RemoteWorkerPool, WorkerPool
from tests.doubles.images import encoded, noise
from tests.inference.api.workers.conftest import COMMAND, configure_link, until

STEPS = 5
#: Noise of this size is 2 MiB as a PNG.
SIDE = 836  # pixels
EVENTS = 20_000
SEATS, STEPS_PER_SECOND = 16, 50
TICK_SECONDS = 0.01


def main() -> None:
    """Measure, and print a line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scaling")
    parser.add_argument("--rounds", type=int, default=20, help="jobs each way")
    parser.add_argument("--seconds", type=float, default=10.0, help="of the seats' steps")
    arguments = parser.parse_args()
    asyncio.run(measure_events())
    asyncio.run(measure_lateness(arguments.seconds))
    if find_spec("ray") is None:
        print("Ray is not installed (extra: cluster): what it adds is not measured.")
        return
    asyncio.run(measure_overhead(arguments.rounds))


async def measure_events() -> None:
    """Measure what a step of a remote worker takes of the bot's loop, beside a local one's."""
    progress = JobProgress(job_id="a" * 26, attempt=1, step=3, steps=20, rows=4, flops=1e12)
    local_body = wire.encode_message(progress)[4:]
    forwarded = WorkerEvent(worker="node/seat0-0-1-a@b", event=wire.to_fields(progress))
    remote_body = wire.encode_message(forwarded)[4:]
    with tempfile.TemporaryDirectory() as folder:
        pool = RemoteWorkerPool(configure_link(Path(folder), "good"))
        begin = time.process_time()
        for _ in range(EVENTS):
            wire.decode_message(local_body)
        local = (time.process_time() - begin) / EVENTS
        begin = time.process_time()
        for _ in range(EVENTS):
            pool._handle_message(wire.decode_message(remote_body))
        remote = (time.process_time() - begin) / EVENTS
    print(f"a step of a local worker, decoded: {local * 1e6:.1f} µs of the bot's processor")
    print(
        f"a step of a remote worker, decoded and queued: {remote * 1e6:.1f} µs, "
        f"{remote / local:.1f} times a local one's"
    )


async def measure_lateness(seconds: float) -> None:
    """Measure how late the loop comes back while 16 seats take 50 steps a second each."""
    reader = asyncio.StreamReader(limit=2**26)
    with tempfile.TemporaryDirectory() as folder:
        pool = RemoteWorkerPool(configure_link(Path(folder), "good"))
        feeding = asyncio.create_task(feed_steps(reader, seconds))
        hearing = asyncio.create_task(hear_steps(reader, pool))
        lateness, step_count = [], 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.monotonic()
            await asyncio.sleep(TICK_SECONDS)
            lateness.append(time.monotonic() - begin - TICK_SECONDS)
        await feeding
        hearing.cancel()
        step_count = pool._events.qsize()
    worst = statistics.quantiles(lateness, n=100)[98]
    print(
        f"{SEATS} seats, {step_count / seconds:.0f} steps a second: the loop is "
        f"{worst * 1000:.1f} ms late at the 99th percentile"
    )


async def feed_steps(reader: asyncio.StreamReader, seconds: float) -> None:
    """Say what so many seats would."""
    for number in range(round(seconds * STEPS_PER_SECOND)):
        for seat in range(SEATS):
            progress = JobProgress(job_id=f"job{seat}", attempt=1, step=number, steps=10_000)
            event = WorkerEvent(worker=f"seat{seat}", event=wire.to_fields(progress))
            reader.feed_data(wire.encode_message(event))
        await asyncio.sleep(1 / STEPS_PER_SECOND)


async def hear_steps(reader: asyncio.StreamReader, pool: RemoteWorkerPool) -> None:
    """Take frames as the pool takes its link's."""
    while True:
        header = await reader.readexactly(wire.FRAME_HEADER.size)
        body = await reader.readexactly(wire.read_frame_length(header))
        pool._handle_message(wire.decode_message(body))


async def measure_overhead(rounds: int) -> None:
    """Measure jobs of five steps with 2 MiB in and out, by turns local and over Ray."""
    from tests.inference.cluster.ray_cluster import open_cluster

    cluster = open_cluster()
    try:
        with tempfile.TemporaryDirectory() as folder:
            image = write_image(Path(folder, "image.png"))
            link = configure_link(
                Path(folder),
                "unhurried",
                address=cluster.address,
                namespace="benchmark",
                token_path=str(cluster.token),
                needs={"seat": 1},
            )
            async with open_local(folder) as local, RemoteWorkerPool(link) as remote:
                times: dict[str, list[float]] = {"local": [], "remote": []}
                for number in range(rounds):
                    for name, pool in (("local", local), ("remote", remote)):
                        seconds = await time_job(pool, image, f"{name}{number}")
                        times[name].append(seconds)
    finally:
        cluster.close()
    size = image_size_text(SIDE)
    for name, values in times.items():
        print(f"a job of {STEPS} steps, {size} in and out, {name}: {describe(values)}")
    added = statistics.median(times["remote"]) - statistics.median(times["local"])
    print(f"added by Ray: {added * 1000:.0f} ms")


def write_image(path: Path) -> Path:
    """Write a picture that no PNG makes smaller."""
    path.write_bytes(encoded(noise((SIDE, SIDE))))
    return path


@asynccontextmanager
async def open_local(folder: str) -> AsyncIterator[WorkerPool]:
    """Open a pool of one scripted worker."""
    config = EngineConfig(model="unhurried", outbox=str(Path(folder, "local")))
    async with LocalWorkerPool((config,), command=COMMAND, grace_seconds=0) as pool:
        yield pool


async def time_job(pool: WorkerPool, image: Path, job_id: str) -> float:
    """Time a job from its hand-over to its end, in seconds."""
    worker = await until(pool.free_worker)
    begin = time.perf_counter()
    await pool.submit_job(
        worker,
        SubmitJob(
            job_id=job_id,
            attempt=1,
            kind="img2img",
            params={"steps": STEPS},
            inputs={"image": str(image)},
        ),
    )
    while True:
        _, event = await pool.next_event()
        if isinstance(event, JobFinished):
            return time.perf_counter() - begin


def image_size_text(side: int) -> str:
    """Say how large a picture of noise is as a PNG."""
    return f"{len(encoded(noise((side, side)))) / 2**20:.1f} MiB"


def describe(values: list[float]) -> str:
    """Say the median and the spread of times."""
    quartiles = statistics.quantiles(values, n=4)
    return (
        f"{quartiles[1] * 1000:.0f} ms (quartiles {quartiles[0] * 1000:.0f} to "
        f"{quartiles[2] * 1000:.0f})"
    )
