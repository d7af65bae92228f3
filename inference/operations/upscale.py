"""Upscale: a picture enlarged by a network, tile by tile."""

from __future__ import annotations

import math

from inference.engine.work import Made, Operation, Outcome
from inference.errors import JobError
from inference.infotext.text import format_infotext
from inference.jobs import Upscale
from inference.models.upscaling.plan import (
    SMALLEST_FACTOR,
    By,
    Method,
    Resampler,
    Size,
    To,
    UpscalePlan,
    count_tiles,
    final_size,
    largest_size,
)
from inference.models.upscaling.shelf import keyed
from inference.models.upscaling.upscale import upscale as enlarge
from inference.operations.redraw import redraw
from inference.operations.slices import TOGETHER, in_slices, tuned
from inference.operations.studio import Pictures, Studio

#: Pixels of the largest result, in the largest pictures that are painted here.
RESULT = 4
#: Pixels of the largest picture on the way to a result, in largest results.
ON_THE_WAY = 4


def upscale(job: Upscale, pictures: Pictures, studio: Studio) -> Operation:
    """Enlarge the picture by a factor or to a size; with `redraw`, repaint it then."""
    source = pictures["image"]
    plan = plan_upscale(job, studio)
    check_size(source.size, plan, studio.max_pixels * RESULT)
    if job.mode == "redraw":
        return (yield from redraw(job, pictures, studio, plan))
    plan = yield from tuned(plan, source.size, studio.library.upscalers)
    enlarged = yield from in_slices(
        enlarge(source, plan, TOGETHER),
        count_tiles(source.size, plan, transparent=source.mode == "RGBA"),
    )
    return Outcome(pictures=(Made(picture=enlarged, infotext=_infotext(job)),))


def check_size(size: Size, plan: UpscalePlan, most: int) -> None:
    """Refuse a result of more than `most` pixels, or one that is made of far larger pictures.

    Raises:
        JobError: names the largest factor, or what to do instead.
    """
    pixels = size[0] * size[1]
    width, height = final_size(size, plan)
    if width * height > most:
        factor = math.floor(math.sqrt(most / pixels) * 100) / 100
        least = f"{width} x {height} is more than the {most / 1e6:.1f} megapixels made here. "
        if factor >= SMALLEST_FACTOR:
            raise JobError("factor", f"{least}The largest factor for this picture is {factor:g}.")
        raise JobError("image", f"{least}Scale the picture down first.")
    width, height = largest_size(size, plan)
    if width * height > most * ON_THE_WAY:
        raise JobError(
            "upscaler",
            f"The upscaler would make {width} x {height} pixels first, more than fit here. Take "
            "one of a smaller scale, or lanczos, or scale the picture down first.",
        )


def plan_upscale(job: Upscale, studio: Studio) -> UpscalePlan:
    """Turn the job's words into a plan over loaded networks.

    Raises:
        ModelError: an upscaler is unknown or not installed.
    """
    aim: By | To = By(round(job.factor, 2))
    if job.width or job.height:
        # One side alone keeps the picture's shape: there is nothing to cut off.
        both = job.width is not None and job.height is not None
        aim = To(job.width or 1, job.height or 1, job.crop and both)
    return UpscalePlan(
        upscaler=_method(keyed(job.upscaler, job.denoise), studio),
        aim=aim,
        second=_method(job.second, studio) if job.second else None,
        visibility=job.visibility,
        longest_side=job.max_side,
    )


def _method(name: str, studio: Studio) -> Method:
    if name.lower() in {method.value for method in Resampler}:
        return Resampler(name.lower())
    return studio.library.upscalers.traits(name)


def _infotext(job: Upscale) -> str:
    values: dict[str, object] = {
        "Postprocess upscale by": job.factor if not (job.width or job.height) else None,
        "Postprocess upscale to": f"{job.width or 0}x{job.height or 0}"
        if job.width or job.height
        else None,
        "Postprocess max side length": job.max_side,
        "Postprocess upscaler": job.upscaler,
        "Postprocess upscaler 2": job.second or None,
        "Postprocess visibility": job.visibility if job.second else None,
        "Postprocess denoise": job.denoise if job.denoise < 1 else None,
    }
    return format_infotext("", "", values)
