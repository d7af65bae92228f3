"""Hold what members are told of their jobs, before they run, against what came.

`python -m benchmarks forecasts [--jobs N] [--at-once N] [--seed N] [--log FILE]`. Mixed jobs of six
members go through store, dispatcher and one worker with the starter model: of each the range of
time and the price that its card would name are kept, and compared with its end. FILE gets one JSON
line a job.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from PIL import Image

from benchmarks.soak import LIMITS, Teller
from benchmarks.table import show
from bot.dispatcher import Dispatcher
from bot.dispatcher.protocols import SubmitResult
from inference.api.config import EngineConfig
from inference.api.jobs import (
    ImagineJob,
    Img2ImgJob,
    InpaintJob,
    InterrogateJob,
    Job,
    LoopbackJob,
    OutpaintJob,
    PreviewJob,
    UpscaleJob,
)
from inference.api.messages import JobProgress
from inference.api.workers import LocalWorkerPool
from storage.blobs import BlobStore
from storage.database import Database
from storage.jobs import JobStore
from storage.records import JobRecord, JobState

SAMPLES = Path(__file__).parent.parent / "bot" / "samples"
PICTURES = ("red-apple.png", "chelsea.jpg", "astronaut.jpg")
MEMBERS = 6
#: What of a job's parameters its line in the log has.
SHOWN_PARAMS = ("steps", "strength", "batch", "sampler", "loops", "factor", "upscaler")
STEPS = (8, 20, 40)

Draw = random.Random


def _words(draw: Draw) -> str:
    return draw.choice(("a red apple", "cat face, noto style", "green tree on white background"))


#: What members ask for, the common more often.
ASKED: tuple[Callable[[Draw], Job], ...] = (
    lambda draw: Img2ImgJob(prompt=_words(draw), steps=draw.choice(STEPS)),
    lambda draw: Img2ImgJob(prompt=_words(draw), strength=draw.choice((0.3, 0.6, 0.9))),
    lambda draw: Img2ImgJob(prompt=_words(draw), batch=draw.choice((1, 2, 4))),
    lambda draw: ImagineJob(prompt=_words(draw), steps=draw.choice(STEPS)),
    lambda draw: ImagineJob(prompt=_words(draw), sampler=draw.choice(("Heun", "DPM++ 2M"))),
    lambda draw: InpaintJob(prompt=_words(draw), mask_shape="circle 50% 50% r25%"),
    lambda draw: OutpaintJob(prompt=_words(draw), steps=12, right=64),
    lambda draw: LoopbackJob(prompt=_words(draw), steps=10, loops=draw.choice((2, 4))),
    lambda draw: UpscaleJob(factor=draw.choice((2.0, 3.0, 4.0))),
    lambda draw: UpscaleJob(factor=draw.choice((1.5, 2.0)), upscaler="lanczos"),
    lambda draw: InterrogateJob(),
    lambda draw: PreviewJob(mask_shape="left 30%"),
)


@dataclass
class Told:
    """What was said of a job, and when."""

    submission: SubmitResult
    at: float


class Forecasts(Teller):
    """Asks for jobs, keeps what was said of each, and compares at its end."""

    def __init__(self, jobs: JobStore, log: Path | None) -> None:
        super().__init__(jobs)
        self._log = log
        self.by_id: dict[str, Told] = {}
        #: Of each job that a range was said of: what came, by its low and its high end.
        self.times: list[tuple[float, float]] = []
        #: Of each job that a price was said of: GPU-seconds that came, by those said.
        self.prices: list[float] = []
        self.unsaid = 0

    def on_progress(self, record: JobRecord, progress: JobProgress) -> None:
        """Show nothing."""

    def on_job_ended(self, record: JobRecord) -> None:
        """Compare, and deliver to nobody."""
        told = self.by_id.pop(record.id)
        if record.state is not JobState.DONE:
            raise RuntimeError(f"{record.kind}: {record.error}")
        took, ready = time.monotonic() - told.at, told.submission.ready
        if ready is None:
            self.unsaid += 1
        else:
            self.times.append((took / ready.low, took / ready.high))
        charged = float((record.result or {}).get("charged", 0.0))
        if told.submission.price is not None and charged > 0:
            self.prices.append(charged / told.submission.price)
        if self._log is not None:
            self._write_line(record, told.submission, took, charged)
        super().on_job_ended(record)

    def _write_line(
        self, record: JobRecord, submission: SubmitResult, took: float, charged: float
    ) -> None:
        ready, place = submission.ready, submission.place
        line = {
            "kind": record.kind,
            "id": record.id,
            "took": took,
            "ready": None if ready is None else [ready.low, ready.high],
            "charged": charged,
            "price": submission.price,
            "forecast": record.forecast_seconds,
            "seconds": (record.result or {}).get("seconds"),
            "cost": [submission.record.cost, record.charged],
            "place": asdict(place),
            "params": {k: v for k, v in record.params.items() if k in SHOWN_PARAMS},
        }
        assert self._log is not None
        with self._log.open("a") as file:
            file.write(json.dumps(line) + "\n")


def _picture(draw: Draw) -> bytes:
    stream = io.BytesIO()
    side = draw.choice((128, 160, 192))
    image = Image.open(SAMPLES / draw.choice(PICTURES)).convert("RGB").resize((side, side))
    image.save(stream, "PNG")
    return stream.getvalue()


async def _ask(
    dispatcher: Dispatcher, told: Forecasts, draw: Draw, jobs: int, at_once: int
) -> None:
    """Keep some jobs outstanding, more and fewer in turn, until all have ended."""
    asked = 0
    while told.told < jobs:
        while asked < jobs and asked - told.told < draw.randint(1, at_once):
            job = draw.choice(ASKED)(draw)
            images = {"image": _picture(draw)} if "image" in job.required_images else {}
            begun = time.monotonic()
            submission = await dispatcher.submit_job(
                job=dispatcher.check_job(job, images),
                images=images,
                owner=f"member-{asked % MEMBERS}",
                guild="guild",
                reply_to="",
                idempotency_key=f"request-{asked}",
            )
            told.by_id[submission.record.id] = Told(submission, begun)
            asked += 1
        told.changed.clear()
        await told.changed.wait()


async def measure(jobs: int, at_once: int, seed: int, log: Path | None) -> None:
    """Run the jobs and print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = EngineConfig(outbox=str(folder / "outbox"), cache_dir=name, models_dir=name)
        async with Database(folder / "easel.db") as database:
            store, blobs = JobStore(database), BlobStore(folder / "blobs")
            async with LocalWorkerPool((config,), grace_seconds=0) as service:
                told = Forecasts(store, log)
                dispatcher = Dispatcher(
                    store, blobs, service, limits=LIMITS, lease=timedelta(minutes=5)
                )
                dispatcher.subscribe(told)
                dispatcher.start()
                await _ask(dispatcher, told, random.Random(seed), jobs, at_once)
                await dispatcher.stop(0)
    _show(told, jobs, at_once)


def _show(told: Forecasts, jobs: int, at_once: int) -> None:
    within = sum(low >= 1 >= high for low, high in told.times)
    wild = sum(low < 0.1 or high > 10 for low, high in told.times)
    twice = sum(0.5 <= ratio <= 2 for ratio in told.prices)
    wild_prices = sum(not 0.1 <= ratio <= 10 for ratio in told.prices)
    rows = [
        ("a range was said", f"{len(told.times)} of {jobs}"),
        ("ready within the range", f"{within / max(1, len(told.times)):.0%}"),
        ("off by ten times", f"{wild}"),
        ("a price was said", f"{len(told.prices)} of {jobs}"),
        ("within twice the price", f"{twice / max(1, len(told.prices)):.0%}"),
        ("off by ten times", f"{wild_prices}"),
    ]
    show(f"What is foretold, {jobs} mixed jobs, up to {at_once} at once", ("what", "came"), rows)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="benchmarks forecasts", description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path)
    options = parser.parse_args()
    asyncio.run(measure(options.jobs, options.at_once, options.seed, options.log))


if __name__ == "__main__":
    main()
