"""Pictures and strategies that several tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

DATA = Path(__file__).parents[2] / "data"


def cat() -> Image.Image:
    return Image.open(DATA / "chelsea.jpg").convert("RGB")


def noise(width: int, height: int, seed: int = 0, mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(seed)
    shape = (height, width) if mode == "L" else (height, width, len(mode))
    return Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))


def rectangle(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    mask = Image.new("L", size, 0)
    mask.paste(255, box)
    return mask


@st.composite
def boxes(draw, width: int, height: int) -> tuple[int, int, int, int]:
    left, upper = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return (
        left,
        upper,
        draw(st.integers(left + 1, width)),
        draw(st.integers(upper + 1, height)),
    )
