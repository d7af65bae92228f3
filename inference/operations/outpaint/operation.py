"""Outpaint: a picture continued beyond its edges."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from types import MappingProxyType
from typing import Any

from PIL import Image

from inference.engine.work import Ask, Made, Operation, Outcome, Paint
from inference.jobs import Outpaint
from inference.models.diffusion import ModelTraits
from inference.operations.border import Border, judge, seam_mask, seam_note, seam_values
from inference.operations.outpaint import mk2, poor_mans
from inference.operations.outpaint.growth import Growth, growth_notes, plan_growth
from inference.operations.outpaint.poor_mans import Grown
from inference.operations.parameters import infotext
from inference.operations.studio import Pictures, Studio
from inference.operations.takes import notes_on

METHODS: Mapping[str, Callable[..., Generator[Ask, list[Any], list[Grown]]]] = MappingProxyType(
    {"poor man's": poor_mans.repaint, "mk2": mk2.repaint}
)


def outpaint(job: Outpaint, pictures: Pictures, studio: Studio) -> Operation:
    """Grow the canvas, paint what is new, measure the border."""
    model = studio.library.resolve(job.model)
    growth = plan_growth(job, pictures, studio, model)
    grown = yield from METHODS[job.method](job, model, growth, studio.lists)
    traits = studio.library.traits(model)
    made = [_made(job, growth, picture, work, traits) for picture, work in grown]
    return Outcome(
        pictures=tuple(one for one, _ in made),
        notes=(
            *notes_on([work for _, work in grown]),
            *growth_notes(job, growth),
            *seam_note([border for _, border in made]),
        ),
        seams=seam_mask([border for _, border in made]),
    )


def _made(
    job: Outpaint, growth: Growth, canvas: Image.Image, work: Paint, model: ModelTraits
) -> tuple[Made, Border]:
    """Cut one picture of the answer out of its canvas and measure its border."""
    picture = canvas.crop(growth.box)
    border = judge(picture, *growth.borders(_latent_inset(job)))
    values = _values(job, growth) | seam_values(border)
    return Made(picture=picture, seed=work.seed, infotext=infotext(work, model, **values)), border


def _latent_inset(job: Outpaint) -> int:
    """Return how far inside the source the latent mask ends, in pixels."""
    return job.mask_blur // 2 if job.method == "poor man's" else 2 * job.mask_blur


def _values(job: Outpaint, growth: Growth) -> dict[str, object]:
    """Write how the picture grew."""
    poor = job.method == "poor man's"
    return {
        "Mask blur": job.mask_blur,
        "Masked content": job.masked_content if poor else None,
        "Outpainting": job.method,
        "Outpainting pixels": growth.describe(),
        "Outpainting fall-off exponent": None if poor else job.fall_off,
        "Outpainting color variation": None if poor else job.colour_variation,
        "Color correction": job.colour_correction,
    }
