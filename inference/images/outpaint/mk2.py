"""Outpainting mk2: pass after pass on a growing picture, each begun from matched noise.

Sides come in the order left, right, up, down; each pass sees the picture that the passes before
made, and works on a crop of at most the job's size beside the new area.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from PIL import Image

from inference.api.jobs.sizes import round_up, split_evenly
from inference.images.arrays import to_array, to_image
from inference.images.outpaint.canvas import OutpaintCanvas
from inference.images.outpaint.matched_noise import matched_noise
from inference.images.regions import Box, Size

#: The mask blur's σ along the growing axis is this many times the blur asked for.
BLUR_FACTOR = 4


class OutpaintEdge(StrEnum):
    """The side that grows."""

    LEFT = "left"
    RIGHT = "right"
    UP = "up"
    DOWN = "down"

    @property
    def is_horizontal(self) -> bool:
        """Whether the picture grows along x."""
        return self in {OutpaintEdge.LEFT, OutpaintEdge.RIGHT}

    @property
    def precedes_source(self) -> bool:
        """Whether the new area comes before the source."""
        return self in {OutpaintEdge.LEFT, OutpaintEdge.UP}


@dataclass(frozen=True)
class OutpaintPass:
    """The geometry of one pass, all in pixels."""

    edge: OutpaintEdge
    #: Size of the picture that this pass receives, and of the one it gives.
    size_before: Size
    size_after: Size
    #: The canvas it works on: `after` rounded up to multiples of 64.
    canvas: Size
    #: Where the received picture lies on the canvas.
    origin: tuple[int, int]
    #: What is really denoised, a box on the canvas.
    crop: Box
    #: Mask blur σ along x and along y.
    blur_x: int
    blur_y: int
    #: Where mask and latent mask are black, boxes on the canvas.
    kept_box: Box
    latent_kept_box: Box


def plan_passes(size: Size, canvas: OutpaintCanvas, job: Size, blur: int) -> list[OutpaintPass]:
    """Return the passes that grow a picture of the size by the canvas' amounts.

    `job` is the most that one pass denoises along its growing axis; `blur` the mask blur asked for.
    A side that grows by more than half of that takes several even passes, so that each still sees
    as much of the picture as it adds.
    """
    steps: list[OutpaintPass] = []
    for side in OutpaintEdge:
        max_growth = max(1, (job[0] if side.is_horizontal else job[1]) // 2)
        for amount in split_evenly(getattr(canvas, side.value), max_growth):
            steps.append(_build_pass(side, size, amount, job, blur))
            size = steps[-1].size_after
    return steps


def prepare_pass_canvas(
    image: Image.Image,
    step: OutpaintPass,
    *,
    fall_off: float = 1.0,
    colour_variation: float = 0.05,
) -> Image.Image:
    """Return a pass's whole canvas, the new area begun with matched noise; `RGB`.

    The noise also eats `blur` pixels into the source, which the mask lets the repaint cover.
    """
    base = Image.new("RGB", step.canvas)
    base.paste(image.convert("RGB"), step.origin)
    noised_canvas = matched_noise(
        to_array(base),
        to_array(kept_box_mask(step.canvas, step.kept_box)),
        fall_off=fall_off,
        colour_variation=colour_variation,
    )
    return to_image(noised_canvas)


def kept_box_mask(size: Size, kept_box: Box) -> Image.Image:
    """Return a white mask of a canvas with the kept box black, `L`."""
    white = Image.new("L", size, 255)
    left, upper, right, lower = kept_box
    if right > left and lower > upper:
        white.paste(0, kept_box)
    return white


def paste_pass_result(canvas: Image.Image, patch: Image.Image, step: OutpaintPass) -> Image.Image:
    """Put a pass's repainted crop into its canvas and cut the surplus off; `RGB`, `step.after`."""
    whole = canvas.copy()
    whole.paste(patch.convert("RGB"), step.crop[:2])
    return whole.crop((0, 0, *step.size_after))


def _build_pass(side: OutpaintEdge, size: Size, amount: int, job: Size, blur: int) -> OutpaintPass:
    axis = 0 if side.is_horizontal else 1
    grown_size = (size[0] + amount, size[1]) if side.is_horizontal else (size[0], size[1] + amount)
    canvas = (round_up(grown_size[0]), round_up(grown_size[1]))
    origin = (
        ((amount, 0) if side.is_horizontal else (0, amount)) if side.precedes_source else (0, 0)
    )
    return OutpaintPass(
        side,
        size,
        grown_size,
        canvas,
        origin,
        _crop_box(side, grown_size, canvas, min(job[axis], canvas[axis])),
        BLUR_FACTOR * blur if side.is_horizontal else 0,
        0 if side.is_horizontal else BLUR_FACTOR * blur,
        _inset_kept_box(side, size, origin, blur),
        _inset_kept_box(side, size, origin, 2 * blur),
    )


def _crop_box(side: OutpaintEdge, grown_size: Size, canvas: Size, length: int) -> Box:
    """Return the part of the canvas, `length` long, that ends where the new area does.

    Not where the canvas does: the surplus of the rounding would take the place of what the pass
    is to see of the picture.
    """
    axis = 0 if side.is_horizontal else 1
    start = 0 if side.precedes_source else max(0, grown_size[axis] - length)
    if side.is_horizontal:
        return start, 0, start + length, canvas[1]
    return 0, start, canvas[0], start + length


def _inset_kept_box(side: OutpaintEdge, size: Size, origin: tuple[int, int], inset: int) -> Box:
    """Return the received picture's box, drawn in on the growing side.

    Measured from the picture and not from the canvas' far border: the surplus of the rounding lies
    between the two, and would leave a strip of black that is never repainted.
    """
    left, upper = origin
    right, lower = left + size[0], upper + size[1]
    match side:
        case OutpaintEdge.LEFT:
            left += inset
        case OutpaintEdge.RIGHT:
            right -= inset
        case OutpaintEdge.UP:
            upper += inset
        case _:
            lower -= inset
    return left, upper, right, lower
