"""Latents between two asks: a picture's own, and one enlarged."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import torch
from PIL import Image

from inference.engine.work import Ask, Paint
from inference.jobs import Denoising
from inference.models.diffusion import CELL
from inference.operations import sizes
from inference.operations.parameters import paint
from inference.pictures.regions import Size
from inference.pictures.resize import scale_to


def still(job: Denoising, model: str, picture: Image.Image) -> Paint:
    """Make the work that only encodes a picture; its sides must be multiples of 8."""
    return paint(job, model, picture.size, picture=picture, strength=0.0, steps=1, decode=False)


def encoded(
    job: Denoising, model: str, picture: Image.Image, later: int
) -> Generator[Ask, list[Any], torch.Tensor]:
    """Encode a picture at its own size, rounded to whole cells: [C, h, w] float32."""
    whole = scale_to(picture, sizes.multiple(picture.width), sizes.multiple(picture.height))
    (painted,) = yield Ask(works=(still(job, model, whole),), later=later)
    latent: torch.Tensor = painted.latent
    return latent


def enlarged(latent: torch.Tensor, size: Size) -> torch.Tensor:
    """Interpolate a latent [C, h, w] bilinearly to a picture's size in pixels."""
    cells = (size[1] // CELL, size[0] // CELL)
    return torch.nn.functional.interpolate(latent[None], size=cells, mode="bilinear")[0]
