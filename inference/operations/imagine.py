"""Imagine: a picture from words alone; the hires fix enlarges it and denoises once more."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from inference.api.jobs import ImagineJob, UpscaleJob
from inference.engine.work import (
    DenoiseResult,
    DenoiseWork,
    JobResult,
    Operation,
    OutputImage,
    WorkRequest,
)
from inference.images.resize import scale_to
from inference.operations.context import Images, OperationContext
from inference.operations.shared import sizes
from inference.operations.shared.batch_variants import batch_variants, work_notes
from inference.operations.shared.latents import upscale_latent
from inference.operations.shared.parameters import build_denoise_work, build_infotext
from inference.operations.shared.tiles import MAX_REQUESTED_TILES, run_tiles, with_tuned_tiling
from inference.operations.upscale import plan_upscale
from inference.upscaling.tiling.plan import count_tiles
from inference.upscaling.upscale import upscale_image as enlarge

LATENT_UPSCALER = "latent"


def run_imagine(job: ImagineJob, images: Images, context: OperationContext) -> Operation:
    """Paint the job's batch from noise."""
    model = context.library.resolve_name(job.model)
    natural = context.library.natural_size(model)
    size = sizes.target_size(job.width, job.height, None, natural)
    large = (
        sizes.round_to_latent(size[0] * job.hires_scale),
        sizes.round_to_latent(size[1] * job.hires_scale),
    )
    sizes.check_pixels(*large, context.max_pixels)
    hires = large != size
    works = tuple(
        build_denoise_work(
            job,
            model,
            size,
            **variant,
            decode=not hires or job.hires_upscaler != LATENT_UPSCALER,
            part=number if job.batch > 1 and not hires else None,
        )
        for number, variant in enumerate(batch_variants(job, context.lists))
    )
    later_units = (job.hires_steps or job.steps) * len(works) if hires else 0
    results = yield WorkRequest(works=works, later_units=later_units)
    values: dict[str, object] = {}
    if hires:
        works = yield from _hires_works(job, context, works, results, large)
        results = yield WorkRequest(works=works)
        values = _hires_values(job)
    traits = context.library.model_traits(model)
    return JobResult(
        images=tuple(
            OutputImage(
                image=result.image,
                seed=work.seed,
                infotext=build_infotext(work, traits, **values),
            )
            for work, result in zip(works, results, strict=True)
        ),
        notes=(*work_notes(works), *sizes.rounded_note((job.width, job.height), size)),
    )


def _hires_works(
    job: ImagineJob,
    context: OperationContext,
    works: tuple[DenoiseWork, ...],
    results: list[DenoiseResult],
    size: tuple[int, int],
) -> Generator[WorkRequest, list[Any], tuple[DenoiseWork, ...]]:
    """Make the second pass's works: each first result enlarged, as a latent or as a picture."""
    common: dict[str, Any] = {
        "width": size[0],
        "height": size[1],
        "steps": job.hires_steps or job.steps,
        "strength": job.hires_strength,
        "exact_steps": True,
        "decode": True,
    }
    hires_works = []
    for number, (work, result) in enumerate(zip(works, results, strict=True)):
        if job.hires_upscaler == LATENT_UPSCALER:
            start: dict[str, Any] = {"latent": upscale_latent(result.latent, size)}
        else:
            start = {"image": (yield from _upscale_first_pass(job, context, result, size))}
        part = number if job.batch > 1 else None
        hires_works.append(replace(work, **common, **start, part=part))
    return tuple(hires_works)


def _upscale_first_pass(
    job: ImagineJob, context: OperationContext, result: DenoiseResult, size: tuple[int, int]
) -> Generator[WorkRequest, list[Any], Any]:
    image = result.image
    if image is None:
        raise ValueError("a first pass that is enlarged as a picture must be decoded")
    plan = plan_upscale(UpscaleJob(upscaler=job.hires_upscaler, factor=job.hires_scale), context)
    plan = yield from with_tuned_tiling(plan, image.size, context.library.upscalers)
    large = yield from run_tiles(
        enlarge(image, plan, MAX_REQUESTED_TILES), count_tiles(image.size, plan)
    )
    return scale_to(large, *size)


def _hires_values(job: ImagineJob) -> dict[str, object]:
    """Write what the field writes about a hires fix."""
    return {
        "Hires upscale": job.hires_scale,
        "Hires steps": job.hires_steps or None,
        "Hires upscaler": "Latent" if job.hires_upscaler == LATENT_UPSCALER else job.hires_upscaler,
    }
