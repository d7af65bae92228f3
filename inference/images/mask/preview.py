"""Show a mask before any work is spent on it, and say what looks wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from inference.api.notices import Notice
from inference.images import regions
from inference.images.mask import masks
from inference.images.regions import Box, ResolutionGain, Size
from inference.images.seams import seam_band

#: The longest side of a preview, in pixels.
MAX_PREVIEW_SIDE = 1024
#: Width of one stripe, in pixels of the preview. Stripes of two lightnesses are told apart by
#: everyone, whatever colours they see.
STRIPE_PIXELS = 6
RED, PALE = (214, 39, 40), (255, 255, 255)
RED_SHARE, PALE_SHARE = 0.65, 0.4
DASH_PIXELS = 8

#: A mask that covers more than this leaves nearly nothing of the picture.
NEARLY_FULL_SHARE = 0.95
#: A mask that covers more than half, and this share of the picture's border, looks inverted.
INVERTED_BORDER_SHARE = 0.9
#: A repaint narrower than this many latent cells has no room for anything.
MIN_LATENT_CELLS = 8


class MaskProblem(StrEnum):
    """What can be wrong with a mask."""

    BLANK = "blank"
    NEARLY_FULL = "nearly full"
    INVERTED = "looks inverted"
    TINY = "tiny"


@dataclass(frozen=True)
class MaskWarning:
    """One thing worth telling before the work begins."""

    problem: MaskProblem
    #: Whether the job cannot run at all.
    is_error: bool
    #: What is wrong and what to change.
    message: Notice


@dataclass(frozen=True)
class MaskReport:
    """What a mask would do."""

    #: Share of the picture that is marked (grey above half), 0–1.
    share: float
    #: The box that is worked on; None for a blank mask.
    box: Box | None
    #: How much larger than in the picture it is worked on; None for a blank mask.
    gain: ResolutionGain | None
    warnings: tuple[MaskWarning, ...]

    @property
    def is_error(self) -> bool:
        """Whether the job cannot run with this mask."""
        return any(warning.is_error for warning in self.warnings)


def inspect_mask(
    mask: Image.Image, render: Size, *, blur: int = 0, padding: int = 0, only_masked: bool = False
) -> MaskReport:
    """Say what a mask (at its picture's size, not yet blurred) would do.

    `render` is the size worked on; `blur` and `padding` are the job's, in pixels.
    """
    if masks.is_blank(mask):
        return MaskReport(0.0, None, None, (_blank_warning(),))
    marked_pixels = np.asarray(mask) >= masks.PAINTED_THRESHOLD
    box = (0, 0, *mask.size)
    if only_masked:
        box = regions.crop_region(masks.blur_mask(mask, blur), padding, render)
    gain = ResolutionGain(box, render)
    warnings = (_coverage_warning(marked_pixels), _size_warning(mask, gain, only_masked))
    return MaskReport(float(marked_pixels.mean()), box, gain, tuple(f for f in warnings if f))


def draw_mask_preview(
    image: Image.Image, mask: Image.Image, box: Box | None = None, largest: int = MAX_PREVIEW_SIDE
) -> Image.Image:
    """Draw a mask as striped overlay, with its outline and the dashed box worked on; `RGB`.

    Picture and mask have one size; the result is scaled down to `largest` pixels a side.
    """
    scale = min(1.0, largest / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    cover = mask.resize(size, Image.Resampling.BOX)
    preview_image = Image.composite(_overlay_stripes(small), small, cover)
    _draw_outline(preview_image, cover)
    if box is not None:
        _draw_dashed_box(preview_image, tuple(round(side * scale) for side in box))
    return preview_image


def _blank_warning() -> MaskWarning:
    message = Notice("mask.blank")
    return MaskWarning(MaskProblem.BLANK, True, message)


def _coverage_warning(
    marked_pixels: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> MaskWarning | None:
    share = float(marked_pixels.mean())
    if share > NEARLY_FULL_SHARE:
        message = Notice("mask.nearly_full", share=f"{share:.0%}")
        return MaskWarning(MaskProblem.NEARLY_FULL, False, message)
    border = np.concatenate(
        [marked_pixels[0], marked_pixels[-1], marked_pixels[:, 0], marked_pixels[:, -1]]
    )
    if share > 0.5 and border.mean() >= INVERTED_BORDER_SHARE:
        message = Notice("mask.inverted", share=f"{share:.0%}")
        return MaskWarning(MaskProblem.INVERTED, False, message)
    return None


def _size_warning(mask: Image.Image, gain: ResolutionGain, only_masked: bool) -> MaskWarning | None:
    left, upper, right, lower = regions.bounding_box(mask)
    width_in_cells = (right - left) * gain.scale_factor / masks.LATENT_SCALE
    height_in_cells = (lower - upper) * gain.scale_factor / masks.LATENT_SCALE
    if min(width_in_cells, height_in_cells) >= MIN_LATENT_CELLS:
        return None
    message = Notice(
        "mask.tiny_padded" if only_masked else "mask.tiny",
        width=right - left,
        height=lower - upper,
    )
    return MaskWarning(MaskProblem.TINY, False, message)


def _overlay_stripes(image: Image.Image) -> Image.Image:
    """Lay diagonal stripes, one red and one pale, over the whole of a picture."""
    rows, columns = np.indices((image.height, image.width))
    pale = ((rows + columns) // STRIPE_PIXELS % 2).astype(bool)
    pattern = np.where(pale[..., None], np.array(PALE), np.array(RED)).astype(np.float32)
    share = np.where(pale, PALE_SHARE, RED_SHARE).astype(np.float32)[..., None]
    striped_pixels = np.asarray(image, dtype=np.float32) * (1 - share) + pattern * share
    return Image.fromarray(np.rint(striped_pixels).astype(np.uint8))


def _draw_outline(image: Image.Image, cover: Image.Image) -> None:
    """Draw the mask's border black inside white, so that it shows on any ground."""
    wide, narrow = seam_band(cover, 2), seam_band(cover, 1)
    image.paste(PALE, mask=ImageChops.subtract(wide, narrow))
    image.paste((0, 0, 0), mask=narrow)


def _draw_dashed_box(image: Image.Image, box: tuple[int, ...]) -> None:
    left, upper, right, lower = box
    right, lower = min(right, image.width) - 1, min(lower, image.height) - 1
    pen = ImageDraw.Draw(image)
    pen.rectangle((left, upper, right, lower), outline=(0, 0, 0), width=3)
    for x in range(left, right, 2 * DASH_PIXELS):
        for y in (upper + 1, lower - 1):
            pen.line((x, y, min(x + DASH_PIXELS, right), y), fill=PALE)
    for y in range(upper, lower, 2 * DASH_PIXELS):
        for x in (left + 1, right - 1):
            pen.line((x, y, x, min(y + DASH_PIXELS, lower)), fill=PALE)
