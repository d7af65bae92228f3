"""Measure interrogation: ranking a picture over cached phrases against encoding that picture.

    python -m benchmarks.interrogate [--phrases N] [--runs N] [--large]

Features and weights are random, their shapes are not: the starter pack's CLIP, and with `--large`
ViT-L/14 at 224 pixels, which the field ranks with. Every figure is the least of several
interleaved runs, so that a busy machine disturbs all alike; on one thread it is processor time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

from inference.prompts.chunks import Tokenizer
from inference.vision.interrogation.ranking.clip_ranker import ClipRanker
from inference.vision.interrogation.ranking.features import build_features
from inference.vision.interrogation.ranking.matches import normalise_rows

PHRASES = 100_000
TOP = 5
#: Shapes of the vision tower: pixels, patch, width, layers, heads, and the width of the features.
STARTER = (128, 16, 192, 5, 4, 192)
LARGE = (224, 14, 1024, 24, 16, 768)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--phrases", type=int, default=PHRASES)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--large", action="store_true", help="also ViT-L/14; 1.2 GB of memory")
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, ", end="")
    print(f"{options.phrases} phrases\n")
    print("| CLIP | encode ms | rank ms | both / encode |")
    print("|---|---|---|---|")
    shapes = {"starter": STARTER} | ({"ViT-L/14": LARGE} if options.large else {})
    for name, shape in shapes.items():
        encode, rank = measure(shape, options.phrases, options.runs)
        both = (encode + rank) / encode
        print(f"| {name} | {encode * 1e3:.1f} | {rank * 1e3:.1f} | {both:.2f} |", flush=True)


def measure(shape: tuple[int, ...], count: int, runs: int) -> tuple[float, float]:
    """Return the least seconds of encoding a picture and of ranking it over `count` phrases."""
    ranker = random_ranker(shape)
    generator = torch.Generator().manual_seed(0)
    features = build_features(normalise_rows(torch.randn(count, shape[-1], generator=generator)))
    phrases = [str(number) for number in range(count)]
    pixels = np.random.default_rng(0).integers(0, 256, (shape[0], shape[0], 3), dtype=np.uint8)
    images = [Image.fromarray(pixels)]
    vector = ranker.encode_images(images)[0]
    times = least_times(
        [
            lambda: ranker.encode_images(images),
            lambda: features.rank_phrases(vector, phrases, TOP),
        ],
        runs,
    )
    return times[0], times[1]


def random_ranker(shape: tuple[int, ...]) -> ClipRanker:
    """Make a CLIP of a shape; its text tower is small, as no phrase is encoded here."""
    side, patch, width, layers, heads, features = shape
    eye = {
        "image_size": side,
        "patch_size": patch,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
    }
    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = CLIPConfig(vision_config=eye, text_config=text, projection_dim=features)
    square = {"height": side, "width": side}
    return ClipRanker(
        model=CLIPModel(config).eval(),
        processor=CLIPImageProcessor(size={"shortest_edge": side}, crop_size=square),
        tokenizer=Tokenizer(lambda text: [1], 0, 2, 2, 8),
        device=torch.device("cpu"),
        digest="random",
    )


def least_times(works: list[Callable[[], object]], runs: int) -> list[float]:
    """Time each work in turn, a warm-up first, and keep the least seconds of each."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    least = [float("inf")] * len(works)
    for run in range(runs + 1):
        for number, work in enumerate(works):
            begin = clock()
            work()
            if run:
                least[number] = min(least[number], clock() - begin)
    return least


if __name__ == "__main__":
    main()
