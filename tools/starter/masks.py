"""Draw random masks for the inpainting variant: 1 where the picture is to be made anew."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

LATENT = 8  # pixels a latent cell covers


def ellipse(size: int, choice: np.random.Generator) -> Tensor:
    """Return a filled ellipse somewhere inside, float32 [1, size, size] of 0 and 1."""
    middle = choice.uniform(0.25, 0.75, 2)
    radius = choice.uniform(0.15, 0.45, 2)
    line = (torch.arange(size) + 0.5) / size
    across = ((line - middle[0]) / radius[0]).square()[None, :]
    down = ((line - middle[1]) / radius[1]).square()[:, None]
    inside: Tensor = (across + down) <= 1
    return inside.float()[None]


def rectangle(size: int, choice: np.random.Generator) -> Tensor:
    """Return a filled rectangle inside, float32 [1, size, size] of 0 and 1."""
    width, height = choice.integers(size // 4, 3 * size // 4, 2)
    left, top = choice.integers(0, size - width + 1), choice.integers(0, size - height + 1)
    mask = torch.zeros(1, size, size)
    mask[:, top : top + height, left : left + width] = 1
    return mask


def border(size: int, choice: np.random.Generator) -> Tensor:
    """Return a strip along one side, as outpainting has it, float32 [1, size, size] of 0 and 1."""
    mask = torch.zeros(1, size, size)
    mask[:, :, : choice.integers(size // 4, 3 * size // 4)] = 1
    return torch.rot90(mask, int(choice.integers(4)), (1, 2))


def random_mask(size: int, choice: np.random.Generator) -> Tensor:
    """Return an ellipse, a rectangle, a border strip, or now and then everything."""
    if choice.random() < 0.1:
        return torch.ones(1, size, size)
    kinds = (ellipse, rectangle, border)
    return kinds[choice.integers(len(kinds))](size, choice)


def latent_mask(masks: Tensor) -> Tensor:
    """Return masks [B, 1, H, W] at latent size [B, 1, H/8, W/8], nearest, as diffusers does it."""
    return functional.interpolate(
        masks, size=(masks.shape[-2] // LATENT, masks.shape[-1] // LATENT)
    )
