"""Show a mask before any work is spent on it, and say what looks wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from inference.pictures import masks, regions
from inference.pictures.regions import Box, ResolutionGain, Size
from inference.pictures.seams import band

#: The longest side of a preview, in pixels.
LARGEST_SIDE = 1024
#: Width of one stripe, in pixels of the preview. Stripes of two lightnesses are told apart by
#: everyone, whatever colours they see.
STRIPE = 6
RED, PALE = (214, 39, 40), (255, 255, 255)
RED_SHARE, PALE_SHARE = 0.65, 0.4
DASH = 8

#: A mask that covers more than this leaves nearly nothing of the picture.
NEARLY_FULL = 0.95
#: A mask that covers more than half, and this share of the picture's border, looks inverted.
INVERTED_BORDER = 0.9
#: A repaint narrower than this many latent cells has no room for anything.
FEWEST_CELLS = 8


class MaskProblem(StrEnum):
    """What can be wrong with a mask."""

    BLANK = "blank"
    NEARLY_FULL = "nearly full"
    INVERTED = "looks inverted"
    TINY = "tiny"


@dataclass(frozen=True)
class Finding:
    """One thing worth telling before the work begins."""

    problem: MaskProblem
    #: Whether the job cannot run at all.
    is_error: bool
    #: A sentence for the user: what is wrong and what to change.
    words: str


@dataclass(frozen=True)
class MaskReport:
    """What a mask would do."""

    #: Share of the picture that is marked (grey above half), 0–1.
    share: float
    #: The box that is worked on; None for a blank mask.
    box: Box | None
    #: How much larger than in the picture it is worked on; None for a blank mask.
    gain: ResolutionGain | None
    findings: tuple[Finding, ...]

    @property
    def is_error(self) -> bool:
        """Whether the job cannot run with this mask."""
        return any(finding.is_error for finding in self.findings)


def examine(
    mask: Image.Image, render: Size, *, blur: int = 0, padding: int = 0, only_masked: bool = False
) -> MaskReport:
    """Say what a mask (at its picture's size, not yet blurred) would do.

    `render` is the size worked on; `blur` and `padding` are the job's, in pixels.
    """
    if masks.is_blank(mask):
        return MaskReport(0.0, None, None, (_blank(),))
    marked = np.asarray(mask) >= masks.PAINTED
    box = (0, 0, *mask.size)
    if only_masked:
        box = regions.crop_region(masks.blur(mask, blur), padding, render)
    gain = ResolutionGain(box, render)
    findings = (_coverage(marked), _size(mask, gain, only_masked))
    return MaskReport(float(marked.mean()), box, gain, tuple(f for f in findings if f))


def draw(
    picture: Image.Image, mask: Image.Image, box: Box | None = None, largest: int = LARGEST_SIDE
) -> Image.Image:
    """Draw a mask as striped overlay, with its outline and the dashed box worked on; `RGB`.

    Picture and mask have one size; the result is scaled down to `largest` pixels a side.
    """
    scale = min(1.0, largest / max(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    cover = mask.resize(size, Image.Resampling.BOX)
    shown = Image.composite(_striped(small), small, cover)
    _outline(shown, cover)
    if box is not None:
        _dashed_box(shown, tuple(round(side * scale) for side in box))
    return shown


def _blank() -> Finding:
    words = "The mask has no white pixel, so nothing would change; paint the area to change white."
    return Finding(MaskProblem.BLANK, True, words)


def _coverage(marked: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Finding | None:
    share = float(marked.mean())
    if share > NEARLY_FULL:
        words = f"The mask covers {share:.0%} of the picture; img2img repaints all of it as well."
        return Finding(MaskProblem.NEARLY_FULL, False, words)
    border = np.concatenate([marked[0], marked[-1], marked[:, 0], marked[:, -1]])
    if share > 0.5 and border.mean() >= INVERTED_BORDER:
        words = (
            f"The mask marks {share:.0%} of the picture and its border; if the black part was to "
            "change, choose “not masked”."
        )
        return Finding(MaskProblem.INVERTED, False, words)
    return None


def _size(mask: Image.Image, gain: ResolutionGain, only_masked: bool) -> Finding | None:
    left, upper, right, lower = regions.bounding_box(mask)
    across = (right - left) * gain.factor / masks.LATENT_SCALE
    down = (lower - upper) * gain.factor / masks.LATENT_SCALE
    if min(across, down) >= FEWEST_CELLS:
        return None
    change = "use less padding" if only_masked else "work on “only masked”"
    words = (
        f"The masked area of {right - left} × {lower - upper} pixels is worked on as "
        f"{across:.1f} × {down:.1f} cells, fewer than {FEWEST_CELLS} × {FEWEST_CELLS}; "
        f"mark more, or {change}."
    )
    return Finding(MaskProblem.TINY, False, words)


def _striped(picture: Image.Image) -> Image.Image:
    """Lay diagonal stripes, one red and one pale, over the whole of a picture."""
    down, across = np.indices((picture.height, picture.width))
    pale = ((down + across) // STRIPE % 2).astype(bool)
    pattern = np.where(pale[..., None], np.array(PALE), np.array(RED)).astype(np.float32)
    share = np.where(pale, PALE_SHARE, RED_SHARE).astype(np.float32)[..., None]
    mixed = np.asarray(picture, dtype=np.float32) * (1 - share) + pattern * share
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def _outline(picture: Image.Image, cover: Image.Image) -> None:
    """Draw the mask's border black inside white, so that it shows on any ground."""
    wide, narrow = band(cover, 2), band(cover, 1)
    picture.paste(PALE, mask=ImageChops.subtract(wide, narrow))
    picture.paste((0, 0, 0), mask=narrow)


def _dashed_box(picture: Image.Image, box: tuple[int, ...]) -> None:
    left, upper, right, lower = box
    right, lower = min(right, picture.width) - 1, min(lower, picture.height) - 1
    pen = ImageDraw.Draw(picture)
    pen.rectangle((left, upper, right, lower), outline=(0, 0, 0), width=3)
    for x in range(left, right, 2 * DASH):
        for y in (upper + 1, lower - 1):
            pen.line((x, y, min(x + DASH, right), y), fill=PALE)
    for y in range(upper, lower, 2 * DASH):
        for x in (left + 1, right - 1):
            pen.line((x, y, x, min(y + DASH, lower)), fill=PALE)
