"""What a result that is too large for its place costs the bot, and the worker beside it.

`python -m benchmarks display [--side 4096] [--limit-mib 10]`. A picture of that side, a photograph
enlarged under fine grain, is written by the worker's own code, and taken over and packed for
showing by the bot's: with the worker's copy, and without, as results of older versions are.
Processor seconds are those of all threads of this process.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.table import show
from bot.delivery.message_builder import load_shown
from inference.api.commands import DisplayLimits
from inference.api.messages import JobFinished, OutputFile
from inference.engine.task import JobRun
from inference.engine.work import JobResult, OutputImage
from inference.worker.result_writer import ResultWriter
from storage.blobs import BlobStore

SOURCE = Path(__file__).parent.parent / "bot/samples/astronaut.jpg"
GRAIN = 2.0  # standard deviation of what is added to each pixel, of 255
MESSAGE_BYTES = 24 * 2**20


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--limit-mib", type=float, default=10)
    arguments = parser.parse_args()
    limit = int(arguments.limit_mib * 2**20)
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(_measure(Path(folder), make_picture(arguments.side), limit))
    show(
        f"A result of {arguments.side}² where a file may have {arguments.limit_mib:g} MiB",
        ("what", "processor seconds", "file"),
        rows,
    )


def make_picture(side: int) -> Image.Image:
    """Make a picture as an upscaler would: smooth, with grain of its own."""
    with Image.open(io.BytesIO(SOURCE.read_bytes())) as opened:
        enlarged = opened.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
    grain = np.random.default_rng(7).normal(0, GRAIN, (side, side, 1))
    pixels = np.asarray(enlarged, np.float32) + grain
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


async def _measure(folder: Path, picture: Image.Image, limit: int) -> list[tuple[str, float, str]]:
    blobs = BlobStore(folder / "blobs")
    plain, with_copy = DisplayLimits(0, MESSAGE_BYTES), DisplayLimits(limit, MESSAGE_BYTES)
    rows: list[tuple[str, float, str]] = []
    output: dict[str, OutputFile] = {}
    for name, limits in (("without", plain), ("with", with_copy)):
        start = time.process_time()
        output[name] = await asyncio.to_thread(_write_result, blobs, picture, limits)
        rows.append((f"worker, {name} a copy", time.process_time() - start, "PNG"))
    for name, image in output.items():
        seconds, (stored, shown) = await _time_work(lambda image=image: _show(blobs, image, limit))  # type: ignore[misc]
        assert stored
        words = f"{shown.suffix} of {len(shown.data) / 2**20:.1f} MiB; {shown.note}"
        rows.append((f"bot, {name} a copy", seconds, words))
    return rows


def _write_result(blobs: BlobStore, picture: Image.Image, limits: DisplayLimits) -> OutputFile:
    """Write a result as the worker does."""
    events: list[Any] = []
    outbox = blobs.root.parent / "outbox"
    writer = ResultWriter(outbox, events.append)
    result = JobResult(images=(OutputImage(image=picture, infotext="an astronaut"),))
    writer.write_result(JobRun("job", 1, iter(())), result, 1.0, limits)  # type: ignore[arg-type]
    writer.finish_writing()
    (finished,) = [event for event in events if isinstance(event, JobFinished)]
    return finished.images[0]


async def _show(blobs: BlobStore, image: OutputFile, limit: int) -> tuple[dict[str, Any], Any]:
    """Take a result over and pack it for showing, as the bot does."""
    stored = vars(image) | {"key": await blobs.adopt(Path(image.path))}
    for copy in image.copies:
        stored["copy"] = vars(copy) | {"key": await blobs.adopt(Path(copy.path))}
    return stored, await load_shown(stored, blobs, limit)


async def _time_work(work: Callable[[], Awaitable[Any]]) -> tuple[float, Any]:
    start = time.process_time()
    answer = await work()
    return time.process_time() - start, answer


if __name__ == "__main__":
    main()
