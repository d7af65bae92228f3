"""How far an outpainting grows its picture, and what is left of that in the end."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from inference.jobs import Outpaint
from inference.jobs.canvases import CANVAS_MULTIPLE, CELL, Amounts
from inference.operations import sizes
from inference.operations.studio import Pictures, Studio
from inference.pictures import outpaint as canvases
from inference.pictures.fill import flatten
from inference.pictures.outpaint import Canvas
from inference.pictures.poor_mans import inset_box
from inference.pictures.regions import Box, Size

SIDES = ("left", "right", "up", "down")


@dataclass(frozen=True, eq=False)
class Growth:
    """A source and the canvas it grows to."""

    #: `RGB`.
    source: Image.Image
    canvas: Canvas
    #: As asked for, before the canvas was rounded to multiples of 64.
    amounts: Amounts
    #: Whether what the rounding adds is cut off again: a square shall be square.
    exact: bool
    #: The most that is denoised at once, pixels, multiples of 8.
    tile: Size

    @property
    def box(self) -> Box:
        """The part of the painted canvas that is the answer."""
        if not self.exact:
            return self.canvas.result_box(self.source.size)
        left = self.canvas.left - self.amounts.left
        upper = self.canvas.up - self.amounts.up
        across = self.source.width + self.amounts.left + self.amounts.right
        down = self.source.height + self.amounts.up + self.amounts.down
        return left, upper, left + across, upper + down

    def borders(self, inset: int) -> list[Image.Image]:
        """Return masks `L` of the answer along whose borders a seam can show.

        One is the source's own. The others lie around `inset` pixels inside it, where the latent
        mask ends: it is cut to whole cells, so half a cell to each side counts as well.
        """
        insets = {0} | {max(0, inset + shift) for shift in (-CELL // 2, 0, CELL // 2)}
        return [self._new(each) for each in sorted(insets)]

    def _new(self, inset: int) -> Image.Image:
        left, upper, right, lower = self.box
        mask = Image.new("L", (right - left, lower - upper), 255)
        kept = _shifted(inset_box(self.canvas, self.source.size, inset), -left, -upper)
        if kept[0] < kept[2] and kept[1] < kept[3]:
            mask.paste(0, kept)
        return mask

    def describe(self) -> str:
        """Say by how many pixels each side of the answer grew."""
        left, upper, right, lower = self.box
        inner = self.canvas.source_box(self.source.size)
        grown = (inner[0] - left, right - inner[2], inner[1] - upper, lower - inner[3])
        return ", ".join(
            f"{side} {pixels}" for side, pixels in zip(SIDES, grown, strict=True) if pixels
        )


def plan_growth(job: Outpaint, pictures: Pictures, studio: Studio, model: str) -> Growth:
    """Read how far to grow, and check that the canvas fits.

    Raises:
        PictureError: the picture cannot be used, nothing is to be added, or it would become too
            large; says the largest amount that fits.
    """
    sizes.check_source(pictures["image"])
    source = flatten(pictures["image"])
    preset = job.preset != "custom"
    amounts = Amounts(job.left, job.right, job.up, job.down)
    if preset:
        amounts = canvases.preset_amounts(job.preset, *source.size)
    grown = canvases.check_pixels(*source.size, amounts, studio.max_pixels)
    natural = studio.library.natural_size(model)
    tile = (sizes.multiple(job.width or natural), sizes.multiple(job.height or natural))
    return Growth(source, grown, amounts, preset, tile)


def growth_notes(job: Outpaint, growth: Growth) -> tuple[str, ...]:
    """Say what became of the amounts that were asked for."""
    asked = ", ".join(f"{side} {getattr(job, side)}" for side in SIDES if getattr(job, side))
    if growth.exact and asked:
        return (f"“{job.preset}” decides how far the picture grows; {asked} was not used.",)
    if growth.exact or asked == growth.describe():
        return ()
    return (
        f"The picture grew by {growth.describe()} instead of {asked}: a canvas is a multiple of "
        f"{CANVAS_MULTIPLE} pixels where it grows.",
    )


def _shifted(box: Box, x: int, y: int) -> Box:
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y
