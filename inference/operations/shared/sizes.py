"""How large a job's picture becomes: as asked, or as its model likes it."""

from __future__ import annotations

import math

from PIL import Image

from inference.api.errors import JobError
from inference.api.jobs.sizes import LATENT_CELL_PIXELS
from inference.api.jobs.sizes import floor_to_latent as floor_to_latent
from inference.api.jobs.sizes import round_to_latent as round_to_latent
from inference.api.jobs.sizes import target_size as target_size
from inference.api.notices import Notice
from inference.images.errors import ImageTooSmall


def check_source(image: Image.Image) -> None:
    """Refuse a source smaller than one latent cell.

    Raises:
        ImageTooSmall: a side is below 8 pixels.
    """
    if min(image.size) < LATENT_CELL_PIXELS:
        raise ImageTooSmall


def check_pixels(width: int, height: int, limit: int) -> None:
    """Refuse a size beyond the host's limit.

    Raises:
        JobError: names the largest square that fits.
    """
    if width * height > limit:
        side = math.isqrt(limit) // LATENT_CELL_PIXELS * LATENT_CELL_PIXELS
        raise JobError(
            "width",
            "size.too_large",
            width=width,
            height=height,
            side=side,
            other=side,
        )


def rounded_note(
    requested_size: tuple[int | None, int | None],
    size: tuple[int, int],
    multiple: int = LATENT_CELL_PIXELS,
) -> tuple[Notice, ...]:
    """Say that a size was rounded, when it was."""
    if all(want is None or want == got for want, got in zip(requested_size, size, strict=True)):
        return ()
    return (Notice("size.rounded", width=size[0], height=size[1], cell=multiple),)
