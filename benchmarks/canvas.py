"""Masks and canvases: redrawing beside its tiles, memory of a large source, pixels left alone.

`python -m benchmarks canvas [--rounds N] [--masks N]`. All with the starter model through the
engine, in float32. Redrawing and the same tiles as jobs of their own alternate in one run; on one
thread the time is processor time, which other programs do not lengthen. Each peak of memory is that
of a process of its own.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.table import show, spread
from inference.api.config import MAX_BATCH, EngineConfig
from inference.api.jobs import Img2ImgJob, InpaintJob, Job, UpscaleJob
from inference.engine.engine import Engine, RunCompleted, RunFailed, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.engine.work import JobResult
from inference.images.metadata import encode_png
from inference.images.tiles import cut_tiles
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from inference.operations.sd_upscale import tile_grid
from inference.worker.executors import build_executors

Images = Mapping[str, Image.Image]

SAMPLE = Path(__file__).parent.parent / "bot" / "samples" / "red-apple.png"
PROMPT = "red apple noto style on white background"
SETTINGS: dict[str, Any] = {"prompt": PROMPT, "guidance": 4.0, "seed": 5, "strength": 0.25}
#: 128 pixels enlarged to 416 make 4 x 4 tiles of 128 with this overlap: two full batches.
FACTOR, OVERLAP = 3.25, 32
LARGE, MASK, WORKED = 4096, 300, 512  # pixels a side


class Bench:
    """The starter model behind an engine."""

    def __init__(self, folder: str) -> None:
        config = EngineConfig(cache_dir=folder, models_dir=folder, dtype="float32", device="cpu")
        self.library = ModelLibrary(config, torch.device("cpu"), torch.float32)
        self.studio = OperationContext(self.library)

    def run(self, jobs: Sequence[tuple[Job, Images]]) -> list[JobResult]:
        """Run jobs at once; their outcomes in the same order."""
        hands = build_executors(self.library)
        limit = aux_batch_limit(MAX_BATCH, 4)
        engine = Engine(Runner(self.library, hands), Scheduler(MAX_BATCH, limit))
        ended: dict[str, JobResult] = {}
        reports = []
        for number, (job, images) in enumerate(jobs):
            operation = OPERATIONS[job.kind](job, images, self.studio)
            reports += engine.add_job(str(number), 1, operation)
        while len(ended) < len(jobs):
            for report in reports:
                if isinstance(report, RunFailed):
                    raise report.error
                if isinstance(report, RunCompleted):
                    ended[report.run.job_id] = report.result
            reports = engine.step()
        return [ended[str(number)] for number in range(len(jobs))]


def redrawing(bench: Bench, rounds: int) -> tuple[list[float], int, Image.Image]:
    """Time a redraw against its tiles as jobs of their own; ratios, number of tiles, the result."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    source = Image.open(SAMPLE).convert("RGB").resize((128, 128), Image.Resampling.LANCZOS)
    job = UpscaleJob(mode="redraw", upscaler="lanczos", factor=FACTOR, overlap=OVERLAP, **SETTINGS)
    size = round(128 * FACTOR)
    grid = tile_grid((size, size), 128, OVERLAP)
    tiles = cut_tiles(source.resize((size, size), Image.Resampling.LANCZOS), grid)
    alone = [(Img2ImgJob(**SETTINGS | {"seed": 5 + k}), {"image": t}) for k, t in enumerate(tiles)]
    ratios = []
    for turn in range(rounds + 1):
        begun = clock()
        bench.run(alone)
        middle = clock()
        (outcome,) = bench.run([(job, {"image": source})])
        if turn:
            ratios.append((clock() - middle) / (middle - begun))
    return ratios, len(tiles), outcome.images[0].image


def lines(image: Image.Image, size: int) -> tuple[float, float]:
    """Return the mean grey step at the tiles' borders, and that at other places beside them."""
    grid = tile_grid((size, size), 128, OVERLAP)
    pixels = np.asarray(image, np.float32)
    across = [pixels, pixels.transpose(1, 0, 2)]
    ends = sorted({x + 128 for x in grid.xs[:-1]} | set(grid.xs[1:]))
    beside = [end + shift for end in ends for shift in (-20, -14, 14, 20)]
    at, off = (
        [float(np.median(_line(one, x))) for one in across for x in places]
        for places in (ends, beside)
    )
    return statistics.mean(at), statistics.mean(off)


def _line(pixels: np.ndarray, x: int) -> Any:
    """Compare the pixels around a column with those to both sides of it: [height]."""
    around = (pixels[:, x - 9 : x - 5].mean(1) + pixels[:, x + 4 : x + 8].mean(1)) / 2
    return np.abs(pixels[:, x - 3 : x + 2].mean(1) - around).mean(-1)


def differing(bench: Bench, masks: int) -> int:
    """Inpaint under random masks without blur and count the pixels that differ outside them."""
    rng = np.random.default_rng(5)
    count = 0
    for number in range(masks):
        width, height = (int(side) for side in rng.integers(8, 300, 2))
        source = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        mask = np.zeros((height, width), np.uint8)
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        mask[y : y + int(rng.integers(1, 200)), x : x + int(rng.integers(1, 200))] = 255
        area = ("whole picture", "only masked")[number % 2]
        job = InpaintJob(area=area, mask_blur=0, steps=1, seed=number, prompt=PROMPT)
        (outcome,) = bench.run([(job, {"image": source, "mask": Image.fromarray(mask)})])
        moved = np.asarray(outcome.images[0].image) != np.asarray(source)
        count += int((moved.any(-1) & (mask == 0)).sum())
    return count


def peak(case: str, folder: str) -> None:
    """Open a picture as a worker does, run one job on it, write the result, print the peak."""
    bench = Bench(folder)
    bench.library.get_checkpoint("")
    with Image.open(Path(folder) / f"{case}.png") as opened:
        images = {"image": opened.convert("RGB")}
    common = SETTINGS | {"width": WORKED, "height": WORKED, "steps": 2}
    job: Job = Img2ImgJob(**common)
    if case == "large":
        mask = Image.new("L", (LARGE, LARGE))
        mask.paste(255, (2000, 2000, 2000 + MASK, 2000 + MASK))
        images["mask"] = mask
        job = InpaintJob(area="only masked", **common)
    (outcome,) = bench.run([(job, images)])
    encode_png(outcome.images[0].image, outcome.images[0].infotext)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def peaks(folder: str) -> dict[str, float]:
    """Measure both peaks, in MiB."""
    gradient = Image.linear_gradient("L").convert("RGB")
    found = {}
    for case, side in (("small", WORKED), ("large", LARGE)):
        gradient.resize((side, side)).save(Path(folder) / f"{case}.png")
        command = [sys.executable, "-m", "benchmarks", "canvas", "--peak", case, folder]
        found[case] = float(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def measure(rounds: int, masks: int) -> None:
    """Measure and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        ratios, tiles, redrawn = redrawing(bench, rounds)
        at, off = lines(redrawn, redrawn.width)
        moved = differing(bench, masks)
        found = peaks(folder)
    decoded = LARGE * LARGE * 3 / 2**20
    bound = found["large"] / (found["small"] + decoded)
    show(
        "Masks and canvases, starter model, float32",
        ("what", "target", "measured"),
        [
            (f"redrawing over its {tiles} tiles in full batches", "≤ 1.1x", spread(ratios, "x")),
            ("grey step at its tiles' borders, and beside them", "–", f"{at:.2f}, {off:.2f}"),
            (f"pixels that differ outside {masks} random masks, blur 0", "0", moved),
            (f"peak memory, {WORKED}² img2img", "–", f"{found['small']:.0f} MiB"),
            (
                f"peak memory, {LARGE}² source with a {MASK}² mask, only masked",
                "–",
                f"{found['large']:.0f} MiB",
            ),
            (f"that over the first plus the decoded source ({decoded:.0f} MiB)", "≤ 1.3x", bound),
        ],
    )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="benchmarks canvas", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--masks", type=int, default=200)
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        peak(*options.peak)
        return
    measure(options.rounds, options.masks)
