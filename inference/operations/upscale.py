"""Upscale: a picture enlarged by a network, tile by tile."""

from __future__ import annotations

from inference.engine.work import Made, Operation, Outcome
from inference.errors import JobError
from inference.jobs import Upscale
from inference.models.upscale import upscale as enlarge
from inference.models.upscale_plan import (
    By,
    Method,
    Resampler,
    To,
    UpscalePlan,
    count_tiles,
    final_size,
)
from inference.operations.redraw import redraw
from inference.operations.slices import LANE as LANE
from inference.operations.slices import TOGETHER, in_slices
from inference.operations.studio import Pictures, Studio
from inference.pictures.infotext import format_infotext


def upscale(job: Upscale, pictures: Pictures, studio: Studio) -> Operation:
    """Enlarge the picture by a factor or to a size; with `redraw`, repaint it then."""
    source = pictures["image"]
    plan = plan_upscale(job, studio)
    size = final_size(source.size, plan)
    if size[0] * size[1] > studio.max_pixels * 4:
        raise JobError(
            "factor",
            f"{size[0]} x {size[1]} is more than this server makes. Ask for a smaller factor.",
        )
    if job.mode == "redraw":
        return (yield from redraw(job, pictures, studio, plan))
    enlarged = yield from in_slices(
        enlarge(source, plan, TOGETHER),
        count_tiles(source.size, plan, transparent=source.mode == "RGBA"),
    )
    return Outcome(pictures=(Made(picture=enlarged, infotext=_infotext(job)),))


def plan_upscale(job: Upscale, studio: Studio) -> UpscalePlan:
    """Turn the job's words into a plan over loaded networks.

    Raises:
        ModelError: an upscaler is unknown or not installed.
    """
    aim: By | To = By(round(job.factor, 2))
    if job.width or job.height:
        aim = To(job.width or 1, job.height or 1, job.crop)
    return UpscalePlan(
        upscaler=_method(job.upscaler, studio),
        aim=aim,
        second=_method(job.second, studio) if job.second else None,
        visibility=job.visibility,
    )


def _method(name: str, studio: Studio) -> Method:
    if name.lower() in {method.value for method in Resampler}:
        return Resampler(name.lower())
    return studio.library.upscaler_traits(name)


def _infotext(job: Upscale) -> str:
    values: dict[str, object] = {
        "Postprocess upscale by": job.factor if not (job.width or job.height) else None,
        "Postprocess upscale to": f"{job.width or 0}x{job.height or 0}"
        if job.width or job.height
        else None,
        "Postprocess upscaler": job.upscaler,
        "Postprocess upscaler 2": job.second or None,
        "Postprocess visibility": job.visibility if job.second else None,
    }
    return format_infotext("", "", values)
