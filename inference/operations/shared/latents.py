"""Latents between two asks: a picture's own, and one enlarged."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

import torch
from PIL import Image

from inference.api.jobs import DenoisingJob
from inference.diffusion.model import PIXELS_PER_CELL
from inference.engine.work import DenoiseWork, WorkRequest
from inference.images.regions import Size
from inference.images.resize import scale_to
from inference.operations.shared import sizes
from inference.operations.shared.parameters import build_denoise_work
from inference.operations.shared.side_call import run_beside


def encode_only_work(job: DenoisingJob, model: str, image: Image.Image) -> DenoiseWork:
    """Make the work that only encodes a picture; its sides must be multiples of 8."""
    return build_denoise_work(
        job, model, image.size, image=image, strength=0.0, steps=1, decode=False
    )


def encode_latent(
    job: DenoisingJob, model: str, image: Image.Image, later_units: int
) -> Generator[WorkRequest, list[Any], torch.Tensor]:
    """Encode a picture at its own size, rounded to whole cells: [C, h, w] float32."""
    size = sizes.round_to_latent(image.width), sizes.round_to_latent(image.height)
    cell_aligned = yield from run_beside(partial(scale_to, image, *size), image.size)
    (result,) = yield WorkRequest(
        works=(encode_only_work(job, model, cell_aligned),), later_units=later_units
    )
    latent: torch.Tensor = result.latent
    return latent


def upscale_latent(latent: torch.Tensor, size: Size) -> torch.Tensor:
    """Interpolate a latent [C, h, w] bilinearly to a picture's size in pixels."""
    cells = (size[1] // PIXELS_PER_CELL, size[0] // PIXELS_PER_CELL)
    return torch.nn.functional.interpolate(latent[None], size=cells, mode="bilinear")[0]


def crop_latent(latent: torch.Tensor, size: Size) -> torch.Tensor:
    """Cut a latent [C, h, w] down to a picture's size in pixels, evenly on both sides."""
    left, top = _cropped_cells((latent.shape[-1], latent.shape[-2]), size)
    return latent[
        :, top : top + size[1] // PIXELS_PER_CELL, left : left + size[0] // PIXELS_PER_CELL
    ]


def crop_to_cells(image: Image.Image, size: Size) -> Image.Image:
    """Cut a picture down to a size as `crop_latent` cuts its latent: at the same cells."""
    cells = image.width // PIXELS_PER_CELL, image.height // PIXELS_PER_CELL
    left, top = (cell * PIXELS_PER_CELL for cell in _cropped_cells(cells, size))
    return image.crop((left, top, left + size[0], top + size[1]))


def _cropped_cells(cells: Size, size: Size) -> tuple[int, int]:
    """Count the cells cut off at the left and at the top; an odd one goes at the far side."""
    return (cells[0] - size[0] // PIXELS_PER_CELL) // 2, (
        cells[1] - size[1] // PIXELS_PER_CELL
    ) // 2
