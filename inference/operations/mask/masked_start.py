"""What a masked repaint starts from, shared by inpainting and outpainting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from inference.diffusion.model import PIXELS_PER_CELL
from inference.images.arrays import FloatArray
from inference.images.mask import masks
from inference.images.mask.fill import fill_masked

#: Masked content → what the engine puts under the mask of the latent.
MASKED_STARTS = {
    "fill": "picture",
    "original": "picture",
    "latent noise": "noise",
    "latent nothing": "nothing",
}


@dataclass(frozen=True, eq=False)
class MaskedStart:
    """A picture with its masked content, and the masks of one repaint."""

    #: `RGB`, multiples of 8 pixels.
    image: Image.Image
    #: `L`, the picture's size: what inpainting checkpoints look at.
    mask: Image.Image
    #: Latent height × width, float32 0–1.
    latent_mask: FloatArray
    #: `picture`, `noise` or `nothing`.
    start: str
    #: Begun from instead of the picture: [C, h, w] float32, or None.
    latent: torch.Tensor | None = None

    @property
    def work_fields(self) -> dict[str, Any]:
        """The fields of a `DenoiseWork` that say all this."""
        return {
            "image": self.image,
            "mask": self.latent_mask,
            "full_mask": self.mask,
            "masked_start": self.start,
            "latent": self.latent,
        }


def prepare_masked_start(
    image: Image.Image,
    mask: Image.Image,
    content: str,
    *,
    latent_area: Image.Image | None = None,
    soft: bool = False,
) -> MaskedStart:
    """Put the masked content under a mask.

    Every content but the original begins with the fill. `latent_area` is where the latent may
    change: the mask unless given. All have one size.
    """
    start_image = image if content == "original" else fill_masked(image, mask)
    cells = image.width // PIXELS_PER_CELL, image.height // PIXELS_PER_CELL
    return MaskedStart(
        image=start_image,
        mask=mask,
        latent_mask=masks.latent_mask(latent_area or mask, *cells, soft=soft),
        start=MASKED_STARTS[content],
    )
