"""Draw captioned training pictures: an icon moved, mirrored or recoloured on a ground, or two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tools.starter.augment import HUES, backgrounds, beside, compose, moved, recoloured, to_tensor
from tools.starter.captions import COLOURS, spoken
from tools.starter.data import Dataset


@dataclass(frozen=True)
class Chances:
    """How often, 0 to 1, a picture is changed in each way; the ways exclude one another."""

    coloured_ground: float = 0.5
    moved: float = 0.5
    recoloured: float = 0.08
    pair: float = 0.06


@dataclass(frozen=True)
class Scene:
    """One picture, float32 [3, 128, 128] in -1 to 1, and the words for it."""

    image: Tensor
    name: str
    style: str
    colour: str

    def caption(self, choice: np.random.Generator) -> str:
        """Return one of the ways to say what the picture shows."""
        return spoken(choice, self.name, self.style, self.colour)


def scene(
    dataset: Dataset,
    row: int,
    partners: npt.NDArray[np.int64],
    choice: np.random.Generator,
    chances: Chances,
) -> Scene:
    """Draw the picture of one row; partners are the rows that may stand to the right of it."""
    palette = list(COLOURS)
    colour = "white"
    if choice.random() < chances.coloured_ground:
        colour = palette[choice.integers(len(palette))]
    icon = to_tensor(dataset.images[row : row + 1])[0]
    name, style = dataset.names[row], dataset.styles[row]
    way = choice.random()
    if way < chances.pair:
        same_style = [p for p in choice.choice(partners, 12) if dataset.styles[p] == style]
        if same_style:
            other = int(same_style[0])
            icon = beside(icon, to_tensor(dataset.images[other : other + 1])[0])
            name = f"{name} left of {dataset.names[other]}"
    elif way < chances.pair + chances.recoloured:
        icon, name = _recolour(icon, name, choice)
    if choice.random() < chances.moved:
        icon = moved(icon, choice)
    return Scene(compose(icon[None], backgrounds([colour]))[0], name, style, colour)


def _recolour(icon: Tensor, name: str, choice: np.random.Generator) -> tuple[Tensor, str]:
    """Recolour the icon where that is possible and its name speaks of no colour yet."""
    words = list(HUES)
    colour = words[choice.integers(len(words))]
    if not set(name.split()).isdisjoint({*COLOURS, "brown"}):
        return icon, name
    changed = recoloured(icon, colour)
    return (icon, name) if changed is None else (changed, f"{colour} {name}")


def scenes(
    dataset: Dataset,
    rows: npt.NDArray[np.int64],
    partners: npt.NDArray[np.int64],
    choice: np.random.Generator,
    chances: Chances,
) -> list[Scene]:
    """Draw one picture a row."""
    return [scene(dataset, int(row), partners, choice, chances) for row in rows]


def stacked(drawn: list[Scene]) -> Tensor:
    """Return the pictures as one float32 [B, 3, 128, 128] in -1 to 1."""
    return torch.stack([s.image for s in drawn])
