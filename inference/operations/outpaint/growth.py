"""How far an outpainting grows its picture, and what is left of that in the end."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

from PIL import Image

from inference.api.jobs import OutpaintJob
from inference.api.jobs.sizes import CANVAS_MULTIPLE, LATENT_CELL_PIXELS, Margins
from inference.api.notices import Notice
from inference.engine.work import WorkRequest
from inference.images.mask.fill import flatten_alpha
from inference.images.outpaint import canvas as canvases
from inference.images.outpaint.canvas import OutpaintCanvas
from inference.images.outpaint.poor_mans import inset_box
from inference.images.regions import Box, Size
from inference.operations.context import Images, OperationContext
from inference.operations.shared import sizes
from inference.operations.shared.side_call import run_beside

OUTPAINT_SIDES = ("left", "right", "up", "down")


@dataclass(frozen=True, eq=False)
class OutpaintPlan:
    """A source and the canvas it grows to."""

    #: `RGB`.
    source: Image.Image
    canvas: OutpaintCanvas
    #: As asked for, before the canvas was rounded to multiples of 64.
    amounts: Margins
    #: Whether what the rounding adds is cut off again: a square shall be square.
    exact: bool
    #: The most that is denoised at once, pixels, multiples of 8.
    tile: Size

    @property
    def result_box(self) -> Box:
        """The part of the painted canvas that is the answer."""
        if not self.exact:
            return self.canvas.result_box(self.source.size)
        left_edge = self.canvas.left - self.amounts.left
        upper_edge = self.canvas.up - self.amounts.up
        result_width = self.source.width + self.amounts.left + self.amounts.right
        result_height = self.source.height + self.amounts.up + self.amounts.down
        return left_edge, upper_edge, left_edge + result_width, upper_edge + result_height

    def seam_masks(self, inset: int) -> list[Image.Image]:
        """Return masks `L` of the answer along whose borders a seam can show.

        One is the source's own. The others lie around `inset` pixels inside it, where the latent
        mask ends: it is cut to whole cells, so half a cell to each side counts as well.
        """
        insets = {0} | {
            max(0, inset + shift)
            for shift in (-LATENT_CELL_PIXELS // 2, 0, LATENT_CELL_PIXELS // 2)
        }
        return [self._new_area_mask(seam_inset) for seam_inset in sorted(insets)]

    def _new_area_mask(self, inset: int) -> Image.Image:
        left, upper, right, lower = self.result_box
        mask = Image.new("L", (right - left, lower - upper), 255)
        source_box = _shift_box(inset_box(self.canvas, self.source.size, inset), -left, -upper)
        if source_box[0] < source_box[2] and source_box[1] < source_box[3]:
            mask.paste(0, source_box)
        return mask

    def describe_growth(self) -> str:
        """Say by how many pixels each side of the answer grew."""
        left, upper, right, lower = self.result_box
        inner = self.canvas.source_box(self.source.size)
        grown = (inner[0] - left, right - inner[2], inner[1] - upper, lower - inner[3])
        return ", ".join(
            f"{side} {pixels}" for side, pixels in zip(OUTPAINT_SIDES, grown, strict=True) if pixels
        )


def plan_outpaint(
    job: OutpaintJob, images: Images, context: OperationContext, model: str
) -> Generator[WorkRequest, list[Any], OutpaintPlan]:
    """Read how far to grow, and check that the canvas fits.

    Raises:
        ImageError: the picture cannot be used, nothing is to be added, or it would become too
            large; says the largest amount that fits.
    """
    sizes.check_source(images["image"])
    source = yield from run_beside(partial(flatten_alpha, images["image"]), images["image"].size)
    has_preset = job.preset != "custom"
    amounts = Margins(job.left, job.right, job.up, job.down)
    if has_preset:
        amounts = canvases.preset_amounts(job.preset, *source.size)
    canvas = canvases.check_pixels(*source.size, amounts, context.max_pixels)
    natural, multiple = context.library.natural_size(model), context.library.size_multiple(model)
    tile = (
        sizes.round_to_latent(job.width or natural, multiple),
        sizes.round_to_latent(job.height or natural, multiple),
    )
    return OutpaintPlan(source, canvas, amounts, has_preset, tile)


def growth_notes(job: OutpaintJob, outpaint_plan: OutpaintPlan) -> tuple[Notice, ...]:
    """Say what became of the amounts that were asked for."""
    amounts_text = ", ".join(
        f"{side} {getattr(job, side)}" for side in OUTPAINT_SIDES if getattr(job, side)
    )
    if outpaint_plan.exact and amounts_text:
        return (Notice("canvas.preset_decides", preset=job.preset, asked=amounts_text),)
    if outpaint_plan.exact or amounts_text == outpaint_plan.describe_growth():
        return ()
    return (
        Notice(
            "canvas.grew",
            grown=outpaint_plan.describe_growth(),
            asked=amounts_text,
            multiple=CANVAS_MULTIPLE,
        ),
    )


def _shift_box(box: Box, x: int, y: int) -> Box:
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y
