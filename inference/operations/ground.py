"""What a masked repaint starts from, shared by inpainting and outpainting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import Image

from inference.models.diffusion import CELL
from inference.pictures import masks
from inference.pictures.arrays import FloatArray
from inference.pictures.fill import fill

#: Masked content → what the engine puts under the mask of the latent.
STARTS = {
    "fill": "picture",
    "original": "picture",
    "latent noise": "noise",
    "latent nothing": "nothing",
}


@dataclass(frozen=True, eq=False)
class Ground:
    """A picture with its masked content, and the masks of one repaint."""

    #: `RGB`, multiples of 8 pixels.
    picture: Image.Image
    #: `L`, the picture's size: what inpainting checkpoints look at.
    mask: Image.Image
    #: Latent height × width, float32 0–1.
    latent_mask: FloatArray
    #: `picture`, `noise` or `nothing`.
    start: str

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a `Paint` that say all this."""
        return {
            "picture": self.picture,
            "mask": self.latent_mask,
            "full_mask": self.mask,
            "masked_start": self.start,
        }


def lay_ground(
    picture: Image.Image,
    mask: Image.Image,
    content: str,
    *,
    latent: Image.Image | None = None,
    hole: Image.Image | None = None,
    soft: bool = False,
) -> Ground:
    """Put the masked content under a mask.

    Every content but the original begins with the fill. `latent` is where the latent may change,
    `hole` what is filled; both are the mask unless given. All have one size.
    """
    begun = picture if content == "original" else fill(picture, hole or mask)
    cells = picture.width // CELL, picture.height // CELL
    return Ground(
        picture=begun,
        mask=mask,
        latent_mask=masks.latent_mask(latent or mask, *cells, soft=soft),
        start=STARTS[content],
    )
