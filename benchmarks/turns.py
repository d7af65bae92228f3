"""The step loop's longest turn while pictures are prepared and finished for jobs of 1024².

`python -m benchmarks turns [--rounds N] [--side PIXELS]`. The networks are stood in for, so that
what is left is picture work and the loop itself. A turn is one `Engine.step` or the taking of a
job; of its length by the clock, which other programs lengthen, the least of some rounds counts.
Picture work in all is processor time: in the loop's thread, and beside it as charged.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image

from benchmarks.table import show
from inference.api.config import EngineConfig
from inference.api.jobs import Img2ImgJob, InpaintJob, Job, LoopbackJob, OutpaintJob, UpscaleJob
from inference.diffusion.model import DiffusionModel
from inference.engine import engine as engine_module
from inference.engine.engine import Engine, RunCompleted, RunFailed, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from inference.runtime import side_work
from inference.runtime.side_work import SideOutcome
from inference.worker.executors import build_executors

SETTINGS: dict[str, Any] = {"seed": 1, "steps": 2, "sampler": "Euler", "guidance": 1.0}
MILLISECONDS = 1000
#: Pause between two turns of the loop, in seconds: a real one has the network's call there.
PAUSE_SECONDS = 0.002


def list_jobs(side: int) -> Mapping[str, Job]:
    """Name what is measured."""
    size: dict[str, Any] = {"width": side, "height": side}
    half: dict[str, Any] = {"mask_shape": "left 50%"}
    return {
        "img2img": Img2ImgJob(**SETTINGS, **size),
        "img2img, colour correction": Img2ImgJob(**SETTINGS, **size, colour_correction=True),
        "loopback of 3": LoopbackJob(**SETTINGS, **size, loops=3),
        "inpaint": InpaintJob(**SETTINGS, **size, **half),
        "inpaint, fill": InpaintJob(**SETTINGS, **size, **half, masked_content="fill"),
        "outpaint right 256": OutpaintJob(**SETTINGS, **size, right=256),
        "outpaint poor man's right 256": OutpaintJob(
            **SETTINGS, **size, right=256, method="poor man's"
        ),
        "outpaint zoom out": OutpaintJob(**SETTINGS, **size, preset="zoom out 2x"),
        "upscale 2x, Lanczos": UpscaleJob(upscaler="lanczos", factor=2.0),
    }


def make_picture(side: int) -> Image.Image:
    """Draw colours with grain, always the same."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    grain = generator.integers(-12, 13, (side, side, 3))
    return Image.fromarray((np.asarray(smooth).astype(int) + grain).clip(0, 255).astype(np.uint8))


def stand_in_for_networks(library: ModelLibrary) -> Any:
    """Let the starter's networks answer at once, and its pictures be of 512 pixels a side."""
    model = library.get_checkpoint("")
    decoded = torch.rand(1, 3, 4096, 4096) * 2 - 1

    def decode(latents: torch.Tensor) -> SimpleNamespace:
        height, width = 8 * latents.shape[-2], 8 * latents.shape[-1]
        sample = decoded[..., :height, :width].expand(len(latents), -1, -1, -1)
        return SimpleNamespace(sample=sample)

    def encode(pixels: torch.Tensor) -> SimpleNamespace:
        shape = (len(pixels), model.latent_channels, pixels.shape[-2] // 8, pixels.shape[-1] // 8)
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=torch.zeros(shape)))

    model.vae.decode, model.vae.encode = decode, encode
    return patch.object(
        DiffusionModel, "denoise", lambda _model, x, *_others, **_named: torch.zeros_like(x)
    )


class Bench:
    """An engine without networks."""

    def __init__(self, folder: str, side: int) -> None:
        config = EngineConfig(cache_dir=folder, models_dir=folder, dtype="float32", device="cpu")
        self.library = ModelLibrary(config, torch.device("cpu"), torch.float32)
        self.context = OperationContext(self.library, max_pixels=16 * side**2)
        self.picture = make_picture(side)
        #: What calls beside the loop took of the processor.
        self.side_seconds: list[float] = []

    def note_outcome(self, *outcome: Any) -> SideOutcome[Any]:
        """Note what a call took, and give its outcome."""
        self.side_seconds.append(outcome[-1])
        return SideOutcome(*outcome)

    def run(self, job: Job) -> tuple[float, float, float, float]:
        """Run a job; give the longest turn, by the clock and by the processor, and
        the processor time of the loop and of all, in seconds."""
        engine = Engine(
            Runner(self.library, build_executors(self.library)),
            Scheduler(8, aux_batch_limit(8, 4)),
        )
        operation = OPERATIONS[job.kind](job, {"image": self.picture}, self.context)
        turns: list[float] = []
        own_turns: list[float] = []
        self.side_seconds.clear()
        loop_begin = time.thread_time()

        def take_turn(turn: Callable[[], list[Any]]) -> list[Any]:
            begin, own_begin = time.perf_counter(), time.thread_time()
            reports = turn()
            turns.append(time.perf_counter() - begin)
            own_turns.append(time.thread_time() - own_begin)
            return reports

        reports = take_turn(lambda: engine.add_job("a", 1, operation))
        while True:
            for report in reports:
                if isinstance(report, RunFailed):
                    raise report.error
                if isinstance(report, RunCompleted):
                    engine.close()
                    loop_seconds = time.thread_time() - loop_begin
                    seconds = (max(turns), max(own_turns), loop_seconds)
                    return *seconds, loop_seconds + sum(self.side_seconds)
            time.sleep(PAUSE_SECONDS)
            reports = take_turn(engine.step)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(prog="benchmarks turns", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--natural", type=int, default=512, help="side of the model's own pictures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(engine_module, "SIDE_WAIT_SECONDS", 0.0),
        patch.object(ModelLibrary, "natural_size", lambda *_: options.natural),
    ):
        bench = Bench(folder, options.side)
        with (
            stand_in_for_networks(bench.library),
            patch.object(side_work, "SideOutcome", bench.note_outcome),
        ):
            for name, job in list_jobs(options.side).items():
                measured = [bench.run(job) for _ in range(options.rounds)]
                row = [min(values) * MILLISECONDS for values in zip(*measured, strict=True)]
                rows.append((name, *(f"{value:,.0f}" for value in row)))
    head = (
        "job",
        "longest turn, ms",
        "of it the processor's",
        "all turns, processor ms",
        "with what is beside them",
    )
    show(f"Picture work at {options.side}²", head, rows)


if __name__ == "__main__":
    main()
