"""How large a job's picture becomes: as asked, or as its model likes it."""

from __future__ import annotations

import math

from PIL import Image

from inference.errors import JobError
from inference.jobs.canvases import CELL, SMALLEST
from inference.jobs.canvases import multiple as multiple
from inference.jobs.canvases import target_size as target_size
from inference.pictures.errors import PictureTooSmall


def below(length: float) -> int:
    """Round a length in pixels down to what latents can hold, never below the smallest."""
    return max(SMALLEST, int(length) // CELL * CELL)


def check_source(picture: Image.Image) -> None:
    """Refuse a source smaller than one latent cell.

    Raises:
        PictureTooSmall: a side is below 8 pixels.
    """
    if min(picture.size) < CELL:
        raise PictureTooSmall


def check_pixels(width: int, height: int, limit: int) -> None:
    """Refuse a size beyond the host's limit.

    Raises:
        JobError: names the largest square that fits.
    """
    if width * height > limit:
        side = math.isqrt(limit) // CELL * CELL
        raise JobError(
            "width",
            f"{width} x {height} is more than this server paints at once. "
            f"The largest square is {side} x {side}.",
        )


def rounded_note(asked: tuple[int | None, int | None], size: tuple[int, int]) -> tuple[str, ...]:
    """Say that a size was rounded, when it was."""
    if all(want is None or want == got for want, got in zip(asked, size, strict=True)):
        return ()
    return (f"The size became {size[0]} x {size[1]}: sides must be multiples of {CELL}.",)
