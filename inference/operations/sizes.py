"""How large a job's picture becomes: as asked, or as its model likes it."""

from __future__ import annotations

import math

from PIL import Image

from inference.errors import JobError
from inference.models.diffusion import CELL
from inference.pictures.errors import PictureTooSmall

#: Denoising networks halve their latents this often before anything breaks: 64 / 8 cells.
SMALLEST = 64


def multiple(length: float) -> int:
    """Round a length in pixels to what latents can hold, never below the smallest."""
    return max(SMALLEST, round(length / CELL) * CELL)


def below(length: float) -> int:
    """Round a length in pixels down to what latents can hold, never below the smallest."""
    return max(SMALLEST, int(length) // CELL * CELL)


def target_size(
    width: int | None, height: int | None, source: tuple[int, int] | None, natural: int
) -> tuple[int, int]:
    """Decide the size to denoise at, in pixels, both multiples of 8.

    Args:
        width: asked for, or None.
        height: asked for, or None; one alone keeps the source's shape.
        source: the picture's size, None when there is none.
        natural: side of the model's own pictures; their area is taken when nothing is asked for.
    """
    ratio = source[0] / source[1] if source else 1.0
    if width and height:
        return multiple(width), multiple(height)
    if width:
        return multiple(width), multiple(width / ratio)
    if height:
        return multiple(height * ratio), multiple(height)
    return multiple(natural * math.sqrt(ratio)), multiple(natural / math.sqrt(ratio))


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
