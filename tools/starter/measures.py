"""The yardsticks of the evaluation, as pure functions; pictures are RGB [B, 3, H, W] in -1 to 1."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tools.starter.captions import COLOURS

RING = 6  # pixels of border that count as background
JOINTS = ("with", "of", "in", "on", "and", "without")


def background_colours(images: Tensor) -> list[str]:
    """Return, for each picture, the palette colour nearest to the median of its border ring."""
    inner = torch.ones(images.shape[-2:], dtype=torch.bool)
    inner[RING:-RING, RING:-RING] = False
    ring = images[:, :, inner].float().median(dim=2).values
    palette = torch.tensor([COLOURS[name] for name in COLOURS]) / 127.5 - 1
    nearest = torch.cdist(ring, palette).argmin(1)
    return [list(COLOURS)[index] for index in nearest.tolist()]


def head_word(name: str) -> str:
    """Return the word that a name turns on: the last one before any "with", "of" and the like."""
    words = name.split()
    ends = [index for index, word in enumerate(words) if word in JOINTS and index > 0]
    return words[(ends[0] if ends else len(words)) - 1]


def share(flags: Sequence[bool]) -> float:
    """Return how many of the flags are set, 0 to 1."""
    return sum(flags) / len(flags)


def seam_score(images: Tensor, masks: Tensor) -> float:
    """Return the mean step across the mask's edge over the mean step elsewhere.

    masks: [B, 1, H, W] of 0 and 1. About 1 is a seam that cannot be seen; the untouched pictures'
    own score at the same masks is the fair comparison.
    """
    across: list[Tensor] = []
    elsewhere: list[Tensor] = []
    for axis in (2, 3):
        step = images.diff(dim=axis).abs().mean(1)
        edge = masks.diff(dim=axis)[:, 0] != 0
        across.append(step[edge])
        elsewhere.append(step[~edge])
    return (torch.cat(across).mean() / torch.cat(elsewhere).mean().clamp_min(1e-6)).item()
