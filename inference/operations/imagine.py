"""Imagine: a picture from words alone; the hires fix enlarges it and denoises once more."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from functools import partial
from typing import Any

from inference.api.infotext.job_values import job_values
from inference.api.jobs import ImagineJob, UpscaleJob
from inference.api.jobs.names import count_prompt_calls
from inference.api.jobs.sizes import Size, hires_sizes
from inference.api.notices import Notice
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
from inference.operations.shared.control import Control, open_control
from inference.operations.shared.latents import crop_latent, crop_to_cells, upscale_latent
from inference.operations.shared.parameters import build_denoise_work, build_infotext
from inference.operations.shared.restoration import restore_results
from inference.operations.shared.side_call import run_beside
from inference.operations.shared.tiles import MAX_REQUESTED_TILES, run_tiles, with_tuned_tiling
from inference.operations.upscale import plan_upscale
from inference.upscaling.tiling.plan import count_tiles
from inference.upscaling.upscale import upscale_image as enlarge

LATENT_UPSCALER = "latent"


def run_imagine(job: ImagineJob, images: Images, context: OperationContext) -> Operation:
    """Paint the job's batch from noise."""
    model = context.resolve_model(job)
    job = context.resolve_refiner(job, model)
    context.check_restorers(job)
    size, covering_size, large = _plan_sizes(job, context, model)
    control = open_control(job, images, context, model)
    controls = yield from control.prepare(size)
    hires = job.has_hires_fix
    works = tuple(
        build_denoise_work(
            job,
            model,
            size,
            **variant,
            decode=not hires or job.hires_upscaler != LATENT_UPSCALER,
            part=number if job.batch > 1 and not hires else None,
            refiner="" if hires else job.refiner,  # the web UI's goes on in the second pass
            controls=controls,
        )
        for number, variant in enumerate(batch_variants(job, context.lists))
    )
    later_units = job.second_pass.steps * len(works) if hires else 0
    results = yield WorkRequest(works=works, later_units=later_units)
    drawn_prompts: list[dict[str, object]] = [{} for _ in works]
    second: tuple[DenoiseWork, ...] = ()
    if hires:
        second = yield from _hires_works(job, context, works, results, (covering_size, large))
        second = yield from _hold_works(second, control, large)
        results = yield WorkRequest(works=second)
        drawn_prompts = [_hires_prompts(job, work) for work in second]
    results, restore_notes = yield from restore_results(job, results, context)
    traits = context.library.model_traits(model)
    values = job_values(job) | control.values | context.refiner_values(job)
    return JobResult(
        images=tuple(
            OutputImage(
                image=result.image,
                seed=work.seed,
                infotext=build_infotext(work, traits, **values | prompts),
            )
            for work, result, prompts in zip(works, results, drawn_prompts, strict=True)
        ),
        notes=(
            *work_notes(works, second),
            *restore_notes,
            *control.notes,
            *_size_notes(job, size, context.library.size_multiple(model)),
        ),
    )


def _size_notes(job: ImagineJob, size: Size, multiple: int) -> tuple[Notice, ...]:
    return tuple(sizes.rounded_note((job.width, job.height), size, multiple))


def _plan_sizes(job: ImagineJob, context: OperationContext, model: str) -> tuple[Size, Size, Size]:
    """Decide the first pass's size, what a hires fix enlarges to, and what is left of that.

    Raises:
        JobError: one is beyond the host's limit.
    """
    natural, multiple = context.library.natural_size(model), context.library.size_multiple(model)
    size = sizes.target_size(job.width, job.height, None, natural, multiple)
    covering_size, large = hires_sizes(
        size, job.hires_scale, job.hires_width, job.hires_height, multiple
    )
    for pixels in (size, covering_size) if job.has_hires_fix else (size,):
        sizes.check_pixels(*pixels, context.max_pixels)
    return size, covering_size, large


def _hires_works(
    job: ImagineJob,
    context: OperationContext,
    works: tuple[DenoiseWork, ...],
    results: list[DenoiseResult],
    hires: tuple[Size, Size],
) -> Generator[WorkRequest, list[Any], tuple[DenoiseWork, ...]]:
    """Make the second pass's works: each first result enlarged, as a latent or as a picture."""
    covering_size, large = hires
    second = job.second_pass
    variants = batch_variants(second, context.lists)
    hires_works = []
    for number, (work, result) in enumerate(zip(works, results, strict=True)):
        if job.hires_upscaler == LATENT_UPSCALER:
            latent = upscale_latent(result.latent, covering_size)
            start: dict[str, Any] = {"latent": crop_latent(latent, large)}
        else:
            image = yield from _upscale_first_pass(job, context, result, covering_size)
            start = {"image": crop_to_cells(image, large)}
        hires_works.append(
            replace(
                build_denoise_work(second, model=work.model, size=large, **variants[number]),
                base_steps=count_prompt_calls(job.sampler, job.steps),
                strength=job.hires_strength,
                part=number if job.batch > 1 else None,
                **start,
            )
        )
    return tuple(hires_works)


def _hold_works(
    works: tuple[DenoiseWork, ...], control: Control, size: Size
) -> Generator[WorkRequest, list[Any], tuple[DenoiseWork, ...]]:
    """Hold works of a size by the job's ControlNet, if it has one."""
    controls = yield from control.prepare(size)
    return tuple(replace(work, controls=controls) for work in works)


def _upscale_first_pass(
    job: ImagineJob, context: OperationContext, result: DenoiseResult, size: tuple[int, int]
) -> Generator[WorkRequest, list[Any], Any]:
    image = result.image
    if image is None:
        raise ValueError("a first pass that is enlarged as a picture must be decoded")
    if image.size == size:
        return image
    target = UpscaleJob(upscaler=job.hires_upscaler, width=size[0], height=size[1])
    plan = plan_upscale(target, context)
    plan = yield from with_tuned_tiling(plan, image.size, context.library.upscalers)
    large = yield from run_tiles(
        enlarge(image, plan, MAX_REQUESTED_TILES), count_tiles(image.size, plan), size
    )
    return (yield from run_beside(partial(scale_to, large, *size), large.size))


def _hires_prompts(job: ImagineJob, work: DenoiseWork) -> dict[str, object]:
    """Write a second pass's prompts as they were drawn, where it has its own."""
    return {
        "Hires prompt": work.prompt if job.hires_prompt else None,
        "Hires negative prompt": work.negative_prompt if job.hires_negative_prompt else None,
    }
