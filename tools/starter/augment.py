"""Put icons on backgrounds, and move, scale, mirror and recolour them without losing the caption.

Pictures are float32 [B, C, H, W]; icons are straight-alpha RGBA in 0 to 1, finished pictures RGB in
-1 to 1, the range that the models take.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from tools.starter.captions import COLOURS
from tools.starter.data import Images

SMALLEST = 0.72  # of the picture's side


def to_tensor(images: Images) -> Tensor:
    """Turn uint8 [B, H, W, 4] into float32 [B, 4, H, W] in 0 to 1."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 255


def backgrounds(colours: Sequence[str]) -> Tensor:
    """Return float32 [B, 3, 1, 1] in 0 to 1: one background colour a picture."""
    return torch.tensor([COLOURS[c] for c in colours]).float()[:, :, None, None] / 255


def compose(icons: Tensor, background: Tensor) -> Tensor:
    """Lay RGBA icons [B, 4, H, W] over backgrounds that broadcast; return RGB in -1 to 1."""
    alpha = icons[:, 3:]
    return (icons[:, :3] * alpha + background * (1 - alpha)) * 2 - 1


def place(icon: Tensor, side: int, left: int, top: int) -> Tensor:
    """Shrink one RGBA icon [4, H, W] to side pixels and set it at (left, top) on empty ground."""
    height, width = icon.shape[-2:]
    # Colour under zero alpha is black in the source; averaging must not let it bleed into the edge.
    premultiplied = torch.cat([icon[:3] * icon[3:], icon[3:]])
    small = functional.interpolate(premultiplied[None], size=(side, side), mode="area")[0]
    small = torch.cat([small[:3] / small[3:].clamp_min(1e-3), small[3:]]).clamp(0, 1)
    return functional.pad(small, (left, width - side - left, top, height - side - top))


def moved(icon: Tensor, choice: np.random.Generator, smallest: float = SMALLEST) -> Tensor:
    """Shrink one RGBA icon [4, H, W] by up to smallest and put it anywhere that it fits."""
    side = int(icon.shape[-1] * choice.uniform(smallest, 1.0))
    room = icon.shape[-1] - side
    return place(icon, side, int(choice.integers(room + 1)), int(choice.integers(room + 1)))


def mirrored(icons: Tensor, flags: npt.NDArray[np.bool_]) -> Tensor:
    """Mirror left to right the icons [B, C, H, W] whose flag is set."""
    return torch.where(torch.from_numpy(flags)[:, None, None, None], icons.flip(-1), icons)


TURN = 0.2  # radians
STRETCH = 0.15  # of the side
TONES = 0.4  # of the saturation and of the contrast


def varied(images: Tensor, choice: np.random.Generator) -> Tensor:
    """Turn, stretch and tone finished pictures [B, 3, H, W] a little, each in its own way.

    Hues stay, since captions name colours; the ground goes on beyond the old edge. A model that
    must know a thing in a style that it never saw should not lean on the exact outline.
    """
    count = len(images)

    def drawn(most: float, *shape: int) -> Tensor:
        return torch.from_numpy(choice.uniform(-most, most, (count, *shape))).float()

    turn = drawn(TURN)
    turned = torch.stack([turn.cos(), -turn.sin(), turn.sin(), turn.cos()], 1).view(-1, 2, 2)
    matrix = turned @ (torch.eye(2) + drawn(STRETCH, 2, 2))
    offset = drawn(STRETCH, 2, 1)
    grid = functional.affine_grid(
        torch.cat([matrix, offset], 2), list(images.shape), align_corners=False
    )
    images = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * (1 + drawn(TONES, 1, 1, 1))
    middle = images.mean((1, 2, 3), keepdim=True)
    return (middle + (images - middle) * (1 + drawn(TONES, 1, 1, 1))).clamp(-1, 1)


def beside(left: Tensor, right: Tensor) -> Tensor:
    """Return one RGBA picture [4, H, W] with two icons side by side, each at half size."""
    half, quarter = left.shape[-1] // 2, left.shape[-2] // 4
    return place(left, half, 0, quarter) + place(right, half, half, quarter)


HUES = {"red": 0.0, "orange": 0.08, "yellow": 0.14, "green": 0.36, "blue": 0.6, "purple": 0.76}
"""Hues, in turns from red, of the colour words that an icon can be recoloured to."""

COLOURED_SATURATION = 0.35
ONE_COLOUR = 0.75


def hue_saturation_value(rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Turn RGB [3, H, W] in 0 to 1 into hue in turns, saturation and value, each [H, W]."""
    value, brightest = rgb.max(0)
    span = value - rgb.min(0).values
    red, green, blue = rgb
    safe = span.clamp_min(1e-6)
    sector = torch.stack(
        [(green - blue) / safe, 2 + (blue - red) / safe, 4 + (red - green) / safe]
    ).gather(0, brightest[None])[0]
    return (sector / 6) % 1, span / value.clamp_min(1e-6), value


def rgb_of(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Turn hue in turns, saturation and value, each [H, W], into RGB [3, H, W] in 0 to 1."""
    sector = (torch.tensor([5.0, 3.0, 1.0])[:, None, None] + hue * 6) % 6
    return value * (1 - saturation * torch.minimum(sector, 4 - sector).clamp(0, 1))


def recoloured(icon: Tensor, colour: str) -> Tensor | None:
    """Turn the hue of an RGBA icon [4, H, W] so that its one colour becomes the colour named.

    Returns None where the icon is grey or has several colours: no caption would be true then.
    """
    hue, saturation, value = hue_saturation_value(icon[:3])
    weight = icon[3] * saturation * value
    if weight.sum() < COLOURED_SATURATION * icon[3].sum():
        return None
    angle = 2 * torch.pi * hue
    east, north = (weight * angle.cos()).sum(), (weight * angle.sin()).sum()
    if torch.hypot(east, north) < ONE_COLOUR * weight.sum():
        return None
    main = torch.atan2(north, east) / (2 * torch.pi)
    turned = rgb_of((hue + HUES[colour] - main) % 1, saturation, value)
    return torch.cat([turned, icon[3:]])
