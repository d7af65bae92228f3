"""What can be wrong with a picture, a mask or a canvas.

ImageError (a ValueError)
├── UnsupportedImage      the pixels come in a form this package does not read
├── ImageTooSmall         fewer pixels than one latent cell
├── FullyTransparent        nothing visible to start from
├── BlankMask               no pixel to change
├── UnreadableMask          a mask in words that cannot be understood
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

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join((type(self).__doc__ or "").split()))


class UnsupportedImage(ImageError):
    """Such a picture cannot be read; send a PNG, JPEG, WebP or GIF."""


class ImageTooSmall(ImageError):
    """The picture is smaller than 8 × 8 pixels; send a larger one."""


class FullyTransparent(ImageError):
    """The picture is fully transparent; send one with something visible in it."""


class BlankMask(ImageError):
    """The mask has no white pixel, so nothing would change; paint the area to change white."""


class UnreadableMask(ImageError):
    """The mask's words cannot be read; write for example: left 30% + circle 50% 40% r20%."""


class NothingFound(ImageError):
    """What the mask's words name is not in the picture."""

    def __init__(self, name: str = "such thing") -> None:
        super().__init__(
            f"No {name} was found in the picture. Mark it another way: pick cells of the grid, or "
            "write a shape such as circle 50% 40% r20%."
        )


class NoStrokes(ImageError):
    """That mask is the picture itself with nothing drawn on it; scribble over what shall change."""


class NothingToExtend(ImageError):
    """Every direction is 0 pixels; give at least one side a number of pixels to grow by."""


class CanvasTooLarge(ImageError):
    """The canvas has more pixels than this host allows; extend by less.

    `largest` is the number of pixels a side that still fits, None where not even the picture does.
    """

    def __init__(self, message: str | None = None, *, largest: int | None = None) -> None:
        super().__init__(
            message or "The canvas has more pixels than this host allows; extend by less."
        )
        self.largest = largest


class TextTooLong(ImageError):
    """The parameters are too long for this file format; save as PNG."""
