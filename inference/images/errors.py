"""What can be wrong with a picture, a mask or a canvas.

ImageError (a ValueError)
├── UnsupportedImage      the pixels come in a form this package does not read
├── ImageTooSmall         fewer pixels than one latent cell
├── FullyTransparent        nothing visible to start from
├── BlankMask               no pixel to change
├── NothingFound            what a mask's words name is not in the picture
├── NoStrokes               a copy of the picture on which nothing was drawn
├── NothingToExtend         0 pixels in every direction
├── CanvasTooLarge          more pixels than the host allows
└── TextTooLong             the parameters do not fit in the chosen file format
"""

from __future__ import annotations

from inference.api.errors import InferenceError


class ImageError(InferenceError, ValueError):
    """The picture cannot be used."""

    default_code = "image.unusable"
    error_kind = "input"


class UnsupportedImage(ImageError):
    """Such a picture cannot be read."""

    default_code = "image.unsupported"


class ImageTooSmall(ImageError):
    """The picture is smaller than 8 × 8 pixels."""

    default_code = "image.too_small"


class FullyTransparent(ImageError):
    """The picture is fully transparent."""

    default_code = "image.transparent"


class BlankMask(ImageError):
    """The mask has no white pixel, so nothing would change."""

    default_code = "mask.blank"


class NothingFound(ImageError):
    """What the mask's words name is not in the picture."""

    def __init__(self, name: str = "such thing") -> None:
        super().__init__("mask.not_found", name=name)


class NoStrokes(ImageError):
    """That mask is the picture itself with nothing drawn on it."""

    default_code = "mask.no_strokes"


class NothingToExtend(ImageError):
    """Every direction is 0 pixels."""

    default_code = "canvas.nothing_to_extend"


class CanvasTooLarge(ImageError):
    """The canvas has more pixels than this host allows."""

    default_code = "canvas.too_large"

    @property
    def largest(self) -> int | None:
        """The pixels a side that still fit; None where not even the picture does."""
        return self.notice.params.get("largest")


class TextTooLong(ImageError):
    """The parameters are too long for this file format."""

    default_code = "image.text_too_long"
