"""Seams of an outpainting, side by side: the mean seam score of each side's results.

`python -m benchmarks outpaint_seams [--seeds N]`. The starter model, mk2, 256 pixels a side. The
picture is mirrored or turned so that the same border of it grows on every side, and the result's
own seam score is taken.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.canvas import Bench
from benchmarks.table import show
from inference.api.jobs import OutpaintJob

SAMPLES = Path(__file__).parent.parent / "bot" / "samples"
PICTURES = ("chelsea.jpg", "astronaut.jpg")
AMOUNT_PIXELS, STEPS = 256, 10
#: How a picture is laid so that its left border lies on the side that grows.
TURNS = {
    "left": None,
    "right": Image.Transpose.FLIP_LEFT_RIGHT,
    "up": Image.Transpose.TRANSPOSE,
    "down": Image.Transpose.ROTATE_90,
}


def side_scores(bench: Bench, side: str, seeds: int) -> list[float]:
    """Return the seam score of each picture and seed, grown on one side."""
    scores = []
    for name in PICTURES:
        image = Image.open(SAMPLES / name).convert("RGB")
        turn = TURNS[side]
        turned_image = image if turn is None else image.transpose(turn)
        for seed in range(1, seeds + 1):
            margins: dict[str, Any] = dict.fromkeys(TURNS, 0) | {side: AMOUNT_PIXELS}
            job = OutpaintJob(prompt="a photograph", steps=STEPS, seed=seed, **margins)
            (result,) = bench.run([(job, {"image": turned_image})])
            text = result.images[0].infotext
            scores.append(float(text.split("Seam score: ")[1].split(",")[0]))
    return scores


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10, help="of each picture")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        scores = {side: side_scores(bench, side, arguments.seeds) for side in TURNS}
    rows = [
        (side, f"{statistics.mean(values):.3f}", f"{min(values):.2f} to {max(values):.2f}")
        for side, values in scores.items()
    ]
    show(
        f"Seam scores, {len(scores['left'])} results a side",
        ("side", "mean", "least to most"),
        rows,
    )
    ratio = statistics.mean(scores["right"] + scores["down"]) / statistics.mean(
        scores["left"] + scores["up"]
    )
    print(f"right and down over left and up: {ratio:.2f}")


if __name__ == "__main__":
    main()
