"""Draw one picture with every sampler and every noise schedule, and lay them out on one sheet.

`python -m tools.samplers_sheet --out docs/samplers.png`
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont

from inference.api.config import EngineConfig
from inference.api.jobs import ImagineJob
from inference.api.jobs.names import CFG_PP_SAMPLERS, SAMPLER_NAMES, SCHEDULE_NAMES
from inference.engine.engine import Engine, RunCompleted, RunFailed, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from inference.worker.executors import build_executors

PROMPT = "red apple noto style"
SEED = 3
STEPS = 20
GUIDANCE = 5.0
#: What that is for samplers of CFG++, which want 0.6 to 2.
CFG_PP_SHARE = 0.2
#: Pixels of a cell, of the names beside the rows and of those above the columns.
CELL, LEFT, TOP = 96, 150, 26
#: Rows of one network call.
ROWS = 8

Name = tuple[str, str]


def paint_all(
    names: Sequence[Name], library: ModelLibrary, **settings: Any
) -> dict[Name, Image.Image]:
    """Paint a picture for each pair of sampler and schedule, in shared batches.

    `settings` are the jobs' other options; of CFG++ the guidance is a fifth of theirs.

    Raises: the error of the first job that fails.
    """
    studio = OperationContext(library)
    engine = Engine(
        Runner(library, build_executors(library)), Scheduler(ROWS, aux_batch_limit(ROWS, 1))
    )
    reports = []
    for number, (sampler, schedule) in enumerate(names):
        options = settings | {"sampler": sampler, "schedule": schedule}
        if sampler in CFG_PP_SAMPLERS:
            options["guidance"] = settings["guidance"] * CFG_PP_SHARE
        job = ImagineJob(prompt=PROMPT, seed=SEED, **options)
        reports += engine.add_job(str(number), 1, OPERATIONS[job.kind](job, {}, studio))
    images: dict[Name, Image.Image] = {}
    while len(images) < len(names):
        for report in reports:
            match report:
                case RunCompleted(run, outcome):
                    images[names[int(run.job_id)]] = outcome.images[0].image
                case RunFailed(run, error):
                    raise RuntimeError(" × ".join(names[int(run.job_id)])) from error
        reports = engine.step()
    return images


def lay_out(
    images: Mapping[Name, Image.Image], samplers: Sequence[str], schedules: Sequence[str]
) -> Image.Image:
    """Lay pictures out, a row a sampler and a column a schedule."""
    sheet = Image.new("RGB", (LEFT + CELL * len(schedules), TOP + CELL * len(samplers)), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for column, schedule in enumerate(schedules):
        middle = LEFT + column * CELL + CELL // 2
        draw.text((middle, TOP // 2), schedule, "black", font, anchor="mm")
    for row, sampler in enumerate(samplers):
        draw.text((8, TOP + row * CELL + CELL // 2), sampler, "black", font, anchor="lm")
        for column, schedule in enumerate(schedules):
            cell = images[sampler, schedule].resize((CELL - 2, CELL - 2), Image.Resampling.BOX)
            sheet.paste(cell, (LEFT + column * CELL + 1, TOP + row * CELL + 1))
    return sheet


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the sheet from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/samplers.png"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--guidance", type=float, default=GUIDANCE)
    parser.add_argument("--side", type=int, help="pixels; the checkpoint's own where left out")
    parser.add_argument("--samplers", nargs="+", default=SAMPLER_NAMES, choices=SAMPLER_NAMES)
    parser.add_argument("--schedules", nargs="+", default=SCHEDULE_NAMES, choices=SCHEDULE_NAMES)
    options = parser.parse_args(arguments)
    library = ModelLibrary(EngineConfig(), torch.device("cpu"), torch.float32)
    names = [(sampler, schedule) for sampler in options.samplers for schedule in options.schedules]
    sides = {"width": options.side, "height": options.side}
    images = paint_all(names, library, steps=options.steps, guidance=options.guidance, **sides)
    lay_out(images, options.samplers, options.schedules).quantize(256).save(
        options.out, optimize=True
    )


if __name__ == "__main__":
    main()
