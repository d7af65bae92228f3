"""How far *Vary (subtle)* and *Vary (strong)* take a picture from what it was.

`python -m benchmarks variations [--pictures N] [--shares X …] [--strengths X …]`. The starter model
draws emoji by its own list of concepts; each is varied as the buttons do it: the same job with a
share of another seed's noise. Besides, the finished picture painted over at a strength. Told is the
mean difference of all channels, of 255.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from benchmarks.canvas import Bench
from benchmarks.table import show
from bot.views.results import STRONG_VARIATION_SHARE, SUBTLE_VARIATION_SHARE
from inference.api.jobs import ImagineJob, Img2ImgJob, Job
from inference.model_library import STARTER_FOLDER

#: What is visible and still the picture, mean difference of 255.
SUBTLE_RANGE = (8.0, 14.0)
GUIDANCE, OTHER_SEED = 4.0, 9000


def draw_concepts(count: int) -> list[ImagineJob]:
    """Return a job for each of so many concepts, spread evenly over the starter's list."""
    concepts = json.loads((STARTER_FOLDER / "concepts.json").read_text(encoding="utf-8"))
    step = max(1, len(concepts) // count)
    return [
        ImagineJob(prompt=f"{concept} emoji", guidance=GUIDANCE, seed=number)
        for number, concept in enumerate(concepts[::step][:count])
    ]


def paint(bench: Bench, jobs: Sequence[tuple[Job, dict[str, Image.Image]]]) -> list[Image.Image]:
    """Run jobs together and return the picture of each."""
    return [result.images[0].image for result in bench.run(list(jobs))]


def difference(image: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two pictures' channels, of 255."""
    pixels = (np.asarray(picture.convert("RGB"), dtype=np.float32) for picture in (image, other))
    return float(np.abs(next(pixels) - next(pixels)).mean())


def describe_differences(name: str, values: Sequence[float]) -> tuple[str, ...]:
    """Return a row of the table."""
    low, high = SUBTLE_RANGE
    within = sum(low <= value <= high for value in values) / len(values)
    quarters = statistics.quantiles(values, n=4)
    return (
        name,
        f"{statistics.mean(values):.1f}",
        f"{min(values):.1f}",
        f"{quarters[0]:.1f} to {quarters[2]:.1f}",
        f"{max(values):.1f}",
        f"{within:.0%}",
    )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks variations", description=__doc__)
    parser.add_argument("--pictures", type=int, default=20)
    shares = [SUBTLE_VARIATION_SHARE, STRONG_VARIATION_SHARE]
    parser.add_argument("--shares", type=float, nargs="*", default=shares)
    parser.add_argument("--strengths", type=float, nargs="*", default=[])
    arguments = parser.parse_args()
    jobs = draw_concepts(arguments.pictures)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        sources = paint(bench, [(job, {}) for job in jobs])
        for share in arguments.shares:
            varied = paint(
                bench,
                [
                    (replace(j, variation_seed=OTHER_SEED + j.seed, variation_strength=share), {})
                    for j in jobs
                ],
            )
            differences = [difference(*pair) for pair in zip(sources, varied, strict=True)]
            rows.append(describe_differences(f"share {share:g}", differences))
        for strength in arguments.strengths:
            repaints = [
                Img2ImgJob(
                    prompt=job.prompt,
                    guidance=GUIDANCE,
                    seed=OTHER_SEED + job.seed,
                    strength=strength,
                )
                for job in jobs
            ]
            inputs = [{"image": source} for source in sources]
            varied = paint(bench, list(zip(repaints, inputs, strict=True)))
            differences = [difference(*pair) for pair in zip(sources, varied, strict=True)]
            rows.append(describe_differences(f"strength {strength:g}", differences))
    head = ("how", "mean", "least", "middle half", "most", "within 8 to 14")
    show(f"Variations, {len(jobs)} pictures", head, rows)


if __name__ == "__main__":
    main()
