"""Upscale: a picture enlarged by a network, tile by tile."""

from __future__ import annotations

import math
from dataclasses import replace

from inference.api.errors import JobError
from inference.api.infotext.job_values import job_values
from inference.api.infotext.text import format_infotext
from inference.api.jobs import UpscaleJob
from inference.engine.work import JobResult, Operation, OutputImage
from inference.operations.context import Images, OperationContext
from inference.operations.sd_upscale import sd_upscale
from inference.operations.shared.parameters import SOFTWARE_VERSION
from inference.operations.shared.restoration import colourise_source, restore_images
from inference.operations.shared.tiles import MAX_REQUESTED_TILES, run_tiles, with_tuned_tiling
from inference.upscaling.registry import key_with_denoise
from inference.upscaling.tiling.plan import (
    MIN_SCALE_FACTOR,
    Method,
    Resampler,
    ScaleBy,
    ScaleTo,
    Size,
    UpscalePlan,
    count_tiles,
    final_size,
    largest_size,
)
from inference.upscaling.upscale import upscale_image as enlarge

#: Pixels of the largest result, in the largest pictures that are painted here.
RESULT_PIXELS_FACTOR = 4
#: Pixels of the largest picture on the way to a result, in largest results.
INTERMEDIATE_PIXELS_FACTOR = 4


def run_upscale(job: UpscaleJob, images: Images, context: OperationContext) -> Operation:
    """Enlarge the picture, given colours first and restored faces last where that is asked for."""
    plan = plan_upscale(job, context)
    check_size(images["image"].size, plan, context.max_pixels * RESULT_PIXELS_FACTOR)
    context.check_restorers(job)
    source = yield from colourise_source(job, images["image"], context)
    enlarge_source = sd_upscale if job.mode == "redraw" else _enlarge_source
    result = yield from enlarge_source(job, {"image": source}, context, plan)
    restoration = yield from restore_images(
        job, [output.image for output in result.images], context
    )
    outputs = zip(result.images, restoration.images, strict=True)
    return replace(
        result,
        images=tuple(replace(output, image=image) for output, image in outputs),
        notes=(*result.notes, *restoration.notes),
    )


def _enlarge_source(
    job: UpscaleJob, images: Images, context: OperationContext, plan: UpscalePlan
) -> Operation:
    """Enlarge the picture by a factor or to a size."""
    source = images["image"]
    plan = yield from with_tuned_tiling(plan, source.size, context.library.upscalers)
    enlarged_image = yield from run_tiles(
        enlarge(source, plan, MAX_REQUESTED_TILES),
        count_tiles(source.size, plan, transparent=source.mode == "RGBA"),
        final_size(source.size, plan),
    )
    return JobResult(images=(OutputImage(image=enlarged_image, infotext=_upscale_infotext(job)),))


def check_size(size: Size, plan: UpscalePlan, max_pixels: int) -> None:
    """Refuse a result of more than `most` pixels, or one that is made of far larger pictures.

    Raises:
        JobError: names the largest factor, or what to do instead.
    """
    pixels = size[0] * size[1]
    width, height = final_size(size, plan)
    if width * height > max_pixels:
        factor = math.floor(math.sqrt(max_pixels / pixels) * 100) / 100
        values = {"width": width, "height": height, "most": f"{max_pixels / 1e6:.1f}"}
        if factor >= MIN_SCALE_FACTOR:
            raise JobError("factor", "upscale.too_large", **values, factor=f"{factor:g}")
        raise JobError("image", "upscale.source_too_large", **values)
    width, height = largest_size(size, plan)
    if width * height > max_pixels * INTERMEDIATE_PIXELS_FACTOR:
        raise JobError(
            "upscaler",
            "upscale.steps_too_large",
            width=width,
            height=height,
        )


def plan_upscale(job: UpscaleJob, context: OperationContext) -> UpscalePlan:
    """Turn the job's words into a plan over loaded networks.

    Raises:
        ModelError: an upscaler is unknown or not installed.
    """
    target: ScaleBy | ScaleTo = ScaleBy(round(job.factor, 2))
    if job.width or job.height:
        # One side alone keeps the picture's shape: there is nothing to cut off.
        has_both_sides = job.width is not None and job.height is not None
        target = ScaleTo(job.width or 1, job.height or 1, job.crop and has_both_sides)
    return UpscalePlan(
        upscaler=_find_method(key_with_denoise(job.upscaler, job.denoise), context),
        target=target,
        second=_find_method(job.second, context) if job.second else None,
        visibility=job.visibility,
        longest_side=job.max_side,
    )


def _find_method(name: str, context: OperationContext) -> Method:
    if name.lower() in {method.value for method in Resampler}:
        return Resampler(name.lower())
    return context.library.upscalers.network_traits(name)


def _upscale_infotext(job: UpscaleJob) -> str:
    return format_infotext("", "", job_values(job) | {"Version": SOFTWARE_VERSION})
