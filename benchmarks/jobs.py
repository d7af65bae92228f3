"""Jobs through a real worker: one alone, eight one after another, eight at once.

`python -m benchmarks jobs [--rounds N]`. Times run from the submission of a job to the event that
its pictures lie in files; the worker is warm. Both ways of running eight alternate in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from benchmarks.table import show, spread
from inference.api.commands import SubmitJob
from inference.api.config import EngineConfig
from inference.api.jobs import Img2ImgJob
from inference.api.messages import JobFailed, JobFinished, StartFailed, WorkerReady
from inference.api.workers import LocalWorkerPool

MEMBERS = 8
SAMPLE = Path(__file__).parent.parent / "bot" / "samples" / "red-apple.png"
PROMPTS = ("strawberry", "green apple", "red heart", "orange", "pizza", "cat face", "tree", "bus")


def job(number: int) -> Img2ImgJob:
    """Make the job of one member: 20 steps of the starter model on a 128-pixel picture."""
    return Img2ImgJob(prompt=f"{PROMPTS[number]} noto style", seed=number, steps=20)


async def run(service: LocalWorkerPool, image: str, numbers: Sequence[int], mark: str) -> float:
    """Submit jobs at once and return the seconds until the last is done."""
    worker = service.free_worker()
    if worker is None:
        raise RuntimeError("the worker is full")
    begin = time.perf_counter()
    for number in numbers:
        one = job(number)
        await service.submit_job(
            worker,
            SubmitJob(
                job_id=f"{mark}-{number}",
                attempt=1,
                kind=one.kind,
                params=one.to_params(),
                inputs={"image": image},
            ),
        )
    left = len(numbers)
    while left:
        _, event = await service.next_event()
        if isinstance(event, JobFailed):
            raise RuntimeError(event.reason)
        left -= isinstance(event, JobFinished)
    return time.perf_counter() - begin


async def measure(rounds: int) -> None:
    """Measure and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        image = str(Path(folder) / "in.png")
        Image.open(SAMPLE).convert("RGBA").save(image)
        config = EngineConfig(outbox=folder, cache_dir=folder)
        async with LocalWorkerPool((config,), grace_seconds=0) as service:
            started = time.perf_counter()
            _, event = await service.next_event()
            if isinstance(event, StartFailed) or not isinstance(event, WorkerReady):
                raise RuntimeError(str(event))
            start = time.perf_counter() - started
            await run(service, image, range(2), "warm-up")
            alone, serial, together = [], [], []
            for turn in range(rounds):
                one_by_one = [
                    await run(service, image, [number], f"s{turn}") for number in range(MEMBERS)
                ]
                alone += one_by_one
                serial.append(sum(one_by_one))
                together.append(await run(service, image, range(MEMBERS), f"t{turn}"))
    ratios = [one / many for one, many in zip(serial, together, strict=True)]
    show(
        f"Starter img2img, 20 steps, 128 x 128, {event.device} {event.dtype}, {rounds} rounds",
        ("what", "median (least to most)"),
        [
            ("worker start to ready", f"{start:.3g} s"),
            ("one job, worker warm", spread(alone)),
            (f"{MEMBERS} jobs one after another", spread(serial)),
            (f"{MEMBERS} jobs at once", spread(together)),
            ("pictures per second, at once over one after another", spread(ratios, "x")),
        ],
    )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="benchmarks jobs", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    asyncio.run(measure(parser.parse_args().rounds))
