"""Outpainting mk2: pass after pass on a growing picture, each begun from matched noise.

Sides come in the order left, right, up, down; each pass sees the picture that the passes before
made, and works on a crop of at most the job's size beside the new area.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from PIL import Image

from inference.jobs.canvases import even_parts, round_up
from inference.pictures.arrays import to_array, to_picture
from inference.pictures.matched_noise import matched_noise
from inference.pictures.outpaint import Canvas
from inference.pictures.regions import Box, Size

#: The mask blur's σ along the growing axis is this many times the blur asked for.
BLUR_FACTOR = 4


class Side(StrEnum):
    """The side that grows."""

    LEFT = "left"
    RIGHT = "right"
    UP = "up"
    DOWN = "down"

    @property
    def horizontal(self) -> bool:
        """Whether the picture grows along x."""
        return self in {Side.LEFT, Side.RIGHT}

    @property
    def near(self) -> bool:
        """Whether the new area comes before the source."""
        return self in {Side.LEFT, Side.UP}


@dataclass(frozen=True)
class Pass:
    """The geometry of one pass, all in pixels."""

    side: Side
    #: Size of the picture that this pass receives, and of the one it gives.
    before: Size
    after: Size
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
    kept: Box
    latent_kept: Box


def passes(size: Size, canvas: Canvas, job: Size, blur: int) -> list[Pass]:
    """Return the passes that grow a picture of the size by the canvas' amounts.

    `job` is the most that one pass denoises along its growing axis; `blur` the mask blur asked for.
    A side that grows by more than half of that takes several even passes, so that each still sees
    as much of the picture as it adds.
    """
    steps: list[Pass] = []
    for side in Side:
        most = max(1, (job[0] if side.horizontal else job[1]) // 2)
        for amount in even_parts(getattr(canvas, side.value), most):
            steps.append(_pass(side, size, amount, job, blur))
            size = steps[-1].after
    return steps


def prepare(
    picture: Image.Image,
    step: Pass,
    *,
    fall_off: float = 1.0,
    colour_variation: float = 0.05,
) -> Image.Image:
    """Return a pass's whole canvas, the new area begun with matched noise; `RGB`.

    The noise also eats `blur` pixels into the source, which the mask lets the repaint cover.
    """
    base = Image.new("RGB", step.canvas)
    base.paste(picture.convert("RGB"), step.origin)
    noised = matched_noise(
        to_array(base),
        to_array(mask(step.canvas, step.kept)),
        fall_off=fall_off,
        colour_variation=colour_variation,
    )
    return to_picture(noised)


def mask(size: Size, kept: Box) -> Image.Image:
    """Return a white mask of a canvas with the kept box black, `L`."""
    white = Image.new("L", size, 255)
    left, upper, right, lower = kept
    if right > left and lower > upper:
        white.paste(0, kept)
    return white


def finish(canvas: Image.Image, patch: Image.Image, step: Pass) -> Image.Image:
    """Put a pass's repainted crop into its canvas and cut the surplus off; `RGB`, `step.after`."""
    whole = canvas.copy()
    whole.paste(patch.convert("RGB"), step.crop[:2])
    return whole.crop((0, 0, *step.after))


def _pass(side: Side, size: Size, amount: int, job: Size, blur: int) -> Pass:
    along = 0 if side.horizontal else 1
    after = (size[0] + amount, size[1]) if side.horizontal else (size[0], size[1] + amount)
    canvas = (round_up(after[0]), round_up(after[1]))
    origin = ((amount, 0) if side.horizontal else (0, amount)) if side.near else (0, 0)
    return Pass(
        side,
        size,
        after,
        canvas,
        origin,
        _crop(side, canvas, min(job[along], canvas[along])),
        BLUR_FACTOR * blur if side.horizontal else 0,
        0 if side.horizontal else BLUR_FACTOR * blur,
        _kept(side, size, origin, blur),
        _kept(side, size, origin, 2 * blur),
    )


def _crop(side: Side, canvas: Size, length: int) -> Box:
    """Return the part of the canvas, `length` long, that lies against the growing side."""
    width, height = canvas
    match side:
        case Side.LEFT:
            return 0, 0, length, height
        case Side.RIGHT:
            return width - length, 0, width, height
        case Side.UP:
            return 0, 0, width, length
        case _:
            return 0, height - length, width, height


def _kept(side: Side, size: Size, origin: tuple[int, int], inset: int) -> Box:
    """Return the received picture's box, drawn in on the growing side.

    Measured from the picture and not from the canvas' far border: the surplus of the rounding lies
    between the two, and would leave a strip of black that is never repainted.
    """
    left, upper = origin
    right, lower = left + size[0], upper + size[1]
    match side:
        case Side.LEFT:
            left += inset
        case Side.RIGHT:
            right -= inset
        case Side.UP:
            upper += inset
        case _:
            lower -= inset
    return left, upper, right, lower
