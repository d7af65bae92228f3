"""Memory of large results: a process that makes one, against one that makes a small one.

`python -m benchmarks upscale_memory [--image PHOTO] [--cache DIR] [--models KEY,…] [--sides N,…]`

Each peak is that of a process of its own, which keeps freed memory as workers do, opens the source,
runs the job through the engine and writes the result. The pictures themselves are the source and
the result, three bytes a pixel. 4096² with x4plus takes minutes on a processor.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path

import torch
from PIL import Image

from benchmarks.table import show
from benchmarks.upscale import PHOTO, photograph
from inference.api.config import EngineConfig
from inference.api.jobs import UpscaleJob
from inference.engine.engine import Engine, RunCompleted, RunFailed, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.engine.work import JobResult, Operation
from inference.images.metadata import encode_png
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from inference.worker.__main__ import keep_freed_memory
from inference.worker.executors import build_executors, tile_batch_rule

SCALE = 4
SIDES = "1024,2048,4096"  # pixels of the results
SHARE = 0.1  # what a large result may add besides the pictures themselves
MEBIBYTE = 2**20


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="benchmarks upscale_memory", description=__doc__)
    parser.add_argument("--image", type=Path, default=PHOTO, help="a photograph")
    parser.add_argument("--cache", type=Path, default=Path("data/cache"))
    parser.add_argument("--models", default="realesrgan-x4plus")
    parser.add_argument("--sides", default=SIDES)
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    keys = options.models.split(",")
    if options.peak:
        peak(keys[0], options.image, options.cache, options.peak)
        return
    rows = []
    for key in keys:
        least = 0.0
        for side in (int(each) for each in options.sides.split(",")):
            found = measured(key, options.image, options.cache, side)
            least = least or found
            images = side**2 * 3 * (1 + 1 / SCALE**2) / MEBIBYTE
            bound = least * (1 + SHARE) + images
            rows.append((key, f"{side}²", round(found), round(images), round(bound)))
    show(
        "Peak memory of a process that makes one result, MiB",
        ("model", "result", "peak", "pictures", f"the first + pictures + {SHARE:.0%}"),
        rows,
    )


def measured(key: str, image: Path, cache: Path, side: int) -> float:
    """Measure one result in a process of its own, in MiB."""
    command = [sys.executable, "-m", "benchmarks", "upscale_memory", "--models", key]
    command += ["--image", str(image), "--cache", str(cache), "--peak", str(side)]
    return float(subprocess.run(command, check=True, capture_output=True).stdout)


def peak(key: str, image: Path, cache: Path, side: int) -> None:
    """Make one result of that side as a worker does, and print the process's peak memory in MiB."""
    keep_freed_memory()
    config = EngineConfig(cache_dir=str(cache), models_dir=str(cache), device="cpu")
    library = ModelLibrary(config, torch.device("cpu"), torch.float32)
    source = Image.fromarray(photograph(image, side // SCALE))
    job = UpscaleJob(upscaler=key, factor=SCALE)
    outcome = run(library, OPERATIONS[job.kind](job, {"image": source}, OperationContext(library)))
    result = outcome.images[0].image
    encode_png(result, outcome.images[0].infotext)
    if result.size != (side, side):
        raise SystemExit(f"Expected a result of {side}², got {result.size}.")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def run(library: ModelLibrary, operation: Operation) -> JobResult:
    """Run one operation through an engine of its own."""
    limit = aux_batch_limit(1, 1, tile_batch_rule(library))
    engine = Engine(Runner(library, build_executors(library)), Scheduler(1, limit))
    reports = engine.add_job("job", 1, operation)
    while True:
        for report in reports:
            if isinstance(report, RunFailed):
                raise report.error
            if isinstance(report, RunCompleted):
                return report.result
        reports = engine.step()


if __name__ == "__main__":
    main()
