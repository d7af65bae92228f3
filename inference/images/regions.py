"""Only masked: which part of the picture is cut out, enlarged, repainted and put back.

Boxes are (left, upper, right, lower) in pixels, right and lower exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from inference.images.errors import BlankMask

Box = tuple[int, int, int, int]
Size = tuple[int, int]


@dataclass(frozen=True)
class ResolutionGain:
    """How much larger the cut-out is worked on than it is in the picture."""

    #: The cut-out's box in the picture.
    box: Box
    #: Width and height it is worked on at, in pixels.
    render: Size

    @property
    def scale_factor(self) -> float:
        """Pixels worked on for each pixel of the picture, along one axis."""
        left, upper, right, lower = self.box
        return min(self.render[0] / (right - left), self.render[1] / (lower - upper))

    def __str__(self) -> str:
        return f"{self.scale_factor:.1f}x"


def bounding_box(mask: Image.Image) -> Box:
    """Return the least box around everything that is not black.

    Raises:
        BlankMask: the mask is black.
    """
    box = mask.getbbox()
    if box is None:
        raise BlankMask
    return box


def pad_box(box: Box, padding: int, size: Size) -> Box:
    """Grow a box by `padding` pixels on every side, inside a picture of the size."""
    left, upper, right, lower = box
    width, height = size
    return (
        max(0, left - padding),
        max(0, upper - padding),
        min(width, right + padding),
        min(height, lower + padding),
    )


def expand_to_ratio(box: Box, render: Size, size: Size) -> Box:
    """Grow a box to the aspect ratio it is worked on at, inside a picture of the size.

    The shorter side grows by the whole pixels missing, half on each end and an odd one on the far
    end; the box then slides back inside. A picture too small for it clips the box, and the ratio
    with it.
    """
    left, upper, right, lower = box
    ratio = render[0] / render[1]
    if (right - left) / (lower - upper) > ratio:
        missing = int((right - left) / ratio - (lower - upper))
        upper, lower = _grow_span(upper, lower, missing, size[1])
    else:
        missing = int((lower - upper) * ratio - (right - left))
        left, right = _grow_span(left, right, missing, size[0])
    return left, upper, right, lower


def crop_region(mask: Image.Image, padding: int, render: Size) -> Box:
    """Return the box to cut out for a (blurred) mask: bounds, padding, then aspect ratio.

    Raises:
        BlankMask: the mask is black.
    """
    padded_box = pad_box(bounding_box(mask), padding, mask.size)
    return expand_to_ratio(padded_box, render, mask.size)


def _grow_span(near: int, far: int, by: int, limit: int) -> tuple[int, int]:
    near, far = near - by // 2, far + by - by // 2
    if far > limit:
        near, far = near - (far - limit), limit
    if near < 0:
        near, far = 0, far - near
    return near, min(far, limit)
