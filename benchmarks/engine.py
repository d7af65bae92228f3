"""The engine against the sum of its calls, against diffusers' pipeline, and against itself.

`python -m benchmarks engine [overhead|arrivals|samplers|switches|card] [--size sd1|starter]
[--rounds N] [--rush N …] [--compile]`. Without a name all of them run; `card` needs a graphics
card. Networks of `sd1` have the size of Stable Diffusion 1 and random weights: 3 GB in float32,
half of that in bfloat16. Both sides of every ratio alternate in one run. With `--compile` the
starter's network is compiled, as with `EASEL_COMPILE=on`; diffusers' pipeline runs it as it is.
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import diffusers
import torch
import transformers

from benchmarks.sides import (
    MIXED,
    PROMPTS,
    Pipeline,
    Stopwatch,
    paint,
    random_sd1,
    run,
    seconds,
    starter,
)
from benchmarks.table import show, spread
from inference.api.config import EngineConfig
from inference.diffusion.model import DiffusionModel
from inference.engine.work import DenoiseWork
from inference.model_library import ModelLibrary
from inference.runtime.precision import choose_device, choose_dtype

#: Multiplications and additions of one network call at 512 x 512, for one row, in 1e12.
TFLOP = 0.803
#: Full queues before anything is timed: the engine learns how long its calls take.
WARM_UPS = 2
#: What dense tensor cores reach in half precision, in 1e12 a second, by the card's name.
PEAKS = {"H100": 989, "H200": 989, "A100": 312, "L40S": 362, "4090": 165, "L4": 121, "T4": 65}


def overhead(model: DiffusionModel, rounds: int, side: int) -> None:
    """Compare a job with the sum of its calls, and with diffusers' pipeline."""
    pipeline = Pipeline(model)
    shares, ratios, alone = [], [], []
    for number in range(rounds + 1):
        watch = Stopwatch(model.device)
        ours = paint(model, 2 * number, side)
        theirs = paint(model, 2 * number + 1, side)
        with watch.watching(model):
            whole = seconds(model, partial(run, model, [ours]))
        again = replace(ours, prompt=f"{ours.prompt} again")
        plain = seconds(model, partial(run, model, [again]))
        other = seconds(model, partial(pipeline, theirs))
        if number:
            shares.append(whole / watch.seconds)
            ratios.append(plain / other)
            alone.append(plain)
    calls = ", ".join(f"{name} {count}" for name, count in sorted(watch.calls.items()))
    show(
        f"One img2img job, 8 steps, {side} x {side}, {what(model)}, {rounds} rounds",
        ("what", "median (least to most)"),
        [
            ("the job", spread(alone)),
            (f"the job over the sum of its calls ({calls})", spread(shares, "x")),
            ("the job over diffusers' pipeline", spread(ratios, "x")),
        ],
    )


def arrivals(model: DiffusionModel, rounds: int, side: int, rushes: Sequence[float]) -> None:
    """Compare jobs that arrive at random with diffusers' pipeline, first come first served.

    So many of them come while the pipeline paints one, in the mean: the more come, the less the
    figure tells of their coming and the more of the painting.
    """
    pipeline = Pipeline(model)
    works = [paint(model, number, side, steps=20) for number in range(len(PROMPTS))]
    one = min(seconds(model, partial(pipeline, works[0])) for _ in range(2))
    for turn in range(WARM_UPS):
        run(model, [replace(work, seed=turn) for work in works])
    for rush in rushes:
        speeds, waits = [], []
        for turn in range(rounds):
            due = _due(len(works), one / rush, turn)
            ours = run(model, [replace(work, seed=turn) for work in works], due)
            theirs = _one_by_one(pipeline, works, due)
            ends = [
                max(at + took for at, took in zip(due, waited, strict=True))
                for waited in (ours, theirs)
            ]
            speeds.append(ends[1] / ends[0])
            waits.append(statistics.mean(ours) / statistics.mean(theirs))
        show(
            f"{len(works)} jobs arriving at random, {rush:g} while the pipeline paints one, "
            f"20 steps, {side} x {side}, {what(model)}, {rounds} rounds",
            ("engine over pipeline", "median (least to most)"),
            [
                ("pictures per second", spread(speeds, "x")),
                ("mean wait of a member", spread(waits, "x")),
            ],
        )


def _due(count: int, gap: float, seed: int) -> list[float]:
    """Draw arrivals with gaps of a mean length in seconds; the first comes at once."""
    draw = random.Random(seed)
    times = [0.0]
    while len(times) < count:
        times.append(times[-1] + draw.expovariate(1 / gap))
    return times


def _one_by_one(
    pipeline: Pipeline, works: Sequence[DenoiseWork], due: Sequence[float]
) -> list[float]:
    begin, ends = time.perf_counter(), []
    for work, at in zip(works, due, strict=True):
        time.sleep(max(0.0, at - (time.perf_counter() - begin)))
        pipeline(work)
        ends.append(time.perf_counter() - begin - at)
    return ends


def samplers(model: DiffusionModel, rounds: int, side: int) -> None:
    """Compare batches of different samplers and step counts with batches of one each."""
    count = len(MIXED)
    works = [
        [paint(model, number, side, sampler=sampler, steps=steps, seed=row) for row in range(count)]
        for number, (sampler, steps) in enumerate(MIXED)
    ]
    queue = [group[row] for row in range(count) for group in works]
    run(model, works[0], rows=count)
    ratios = []
    for _ in range(rounds):
        single = sum(
            seconds(model, partial(run, model, group, rows=count, pace=None)) for group in works
        )
        mixed = seconds(model, partial(run, model, queue, rows=count, pace=None))
        ratios.append(single / mixed)
    show(
        f"{count} jobs of each of {count} samplers and step counts, batches of {count}, "
        f"{side} x {side}, {what(model)}",
        ("pictures per second", "median (least to most)"),
        [("a mixed queue over batches of one sampler", spread(ratios, "x"))],
    )


def switches(count: int = 100) -> None:
    """Switch between two models under a budget for one and a half; watch the process's memory."""
    with tempfile.TemporaryDirectory() as folder:
        nbytes = [_save(Path(folder) / name, seed) for seed, name in enumerate("ab")]
        config = EngineConfig(model="a", models_dir=folder, cache_dir=f"{folder}/cache")
        library = ModelLibrary(
            config, torch.device("cpu"), torch.float32, budget=int(1.5 * nbytes[0])
        )
        held = []
        for turn in range(count):
            library.get_checkpoint("ab"[turn % 2])
            gc.collect()
            held.append(_resident_bytes())
    growth = max(held[10:]) / held[9] - 1
    show(
        f"{count} switches between two models of {nbytes[0] / 2**20:.0f} MiB",
        ("what", "measured"),
        [
            ("resident memory after the tenth", f"{held[9] / 2**20:.0f} MiB"),
            ("most after that", f"{max(held[10:]) / 2**20:.0f} MiB ({growth:+.1%})"),
        ],
    )


def _save(folder: Path, seed: int) -> int:
    """Write a checkpoint of about 100 MB with the starter's text side; count its bytes."""
    torch.manual_seed(seed)
    source = starter(torch.device("cpu"), torch.float32)
    config = dict(source.unet.config) | {"block_out_channels": (128, 256, 384)}
    unet = diffusers.UNet2DConditionModel.from_config(config)
    unet.save_pretrained(folder / "unet")
    source.vae.save_pretrained(folder / "vae")
    pack = Path(__file__).parent.parent / "inference" / "starter"
    for part in ("text_encoder", "tokenizer", "scheduler"):
        (folder / part).symlink_to(pack / part)
    return sum(parameter.nbytes for parameter in unet.parameters())


def _resident_bytes() -> int:
    """Read what the process holds in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def card(model: DiffusionModel, rounds: int) -> None:
    """Compare a batch of 8 with one row on a graphics card, and both with what it can do."""
    name = torch.cuda.get_device_name(model.device)
    peak = next((peak for mark, peak in PEAKS.items() if mark in name), None)
    rates: dict[int, list[float]] = {1: [], 8: []}
    run(model, [paint(model, number, 512, steps=4) for number in range(8)])
    for turn in range(rounds):
        for rows, found in rates.items():
            works = [paint(model, 8 * turn + row, 512, steps=20) for row in range(rows)]
            found.append(rows / seconds(model, partial(run, model, works)))
    ratios = [many / one for one, many in zip(rates[1], rates[8], strict=True)]
    share = statistics.median(rates[8]) * 20 * 2 * TFLOP / peak if peak else float("nan")
    show(
        f"20 steps, 512 x 512, {name}, {what(model)}, {rounds} rounds",
        ("what", "median (least to most)"),
        [
            ("pictures per second, one row", spread(rates[1], "/s")),
            ("pictures per second, batch of 8", spread(rates[8], "/s")),
            ("batch of 8 over one row", spread(ratios, "x")),
            ("network's share of the card's peak, whole job", f"{share:.0%}"),
        ],
    )


def what(model: DiffusionModel) -> str:
    """Name a model and how it runs."""
    name = f"{model.name}, {model.device} {str(model.dtype).removeprefix('torch.')}"
    return f"{name}, compiled" if model.fast else name


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="benchmarks engine", description=__doc__)
    names = ("overhead", "arrivals", "samplers", "switches", "card")
    parser.add_argument("figures", nargs="*", choices=[*names, []])
    parser.add_argument("--size", choices=("sd1", "starter"), default="sd1")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rush", type=float, nargs="+", default=[4], help="arrivals a picture")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    device = choose_device("auto")
    dtype = choose_dtype("auto", device)
    chosen = options.figures or [name for name in names if name != "card" or device.type == "cuda"]
    small = (
        starter(device, dtype, compiling=options.compile)
        if {"arrivals", "samplers"} & set(chosen)
        else None
    )
    if "overhead" in chosen:
        sized = options.size == "sd1"
        model = random_sd1(device, torch.bfloat16) if sized else starter(device, dtype)
        overhead(model, options.rounds, 256 if sized else 128)
        del model
    figures: Mapping[str, Callable[..., None]] = {
        "arrivals": partial(arrivals, rushes=options.rush),
        "samplers": samplers,
    }
    for name, measure in figures.items():
        if name in chosen:
            measure(small, options.rounds, 128)
    if "switches" in chosen:
        switches()
    if "card" in chosen:
        card(random_sd1(device, dtype), options.rounds)


if __name__ == "__main__":
    main()
