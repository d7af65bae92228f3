"""Outpainting mk2 through the engine: side after side, each pass on what the last one made."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from PIL import Image

from inference.api.jobs import OutpaintJob
from inference.api.jobs.drawn_prompts import WildcardLists
from inference.api.jobs.names import count_seed
from inference.engine.work import DenoiseResult, DenoiseWork, WorkRequest
from inference.images.compositing import composite_under_mask
from inference.images.mask import masks
from inference.images.outpaint import mk2
from inference.images.outpaint.mk2 import OutpaintPass
from inference.operations.img2img import finish_image
from inference.operations.mask.masked_start import MaskedStart, prepare_masked_start
from inference.operations.outpaint.growth import OutpaintPlan
from inference.operations.outpaint.poor_mans import PaintedCanvas
from inference.operations.shared.batch_variants import resolve_wildcards
from inference.operations.shared.parameters import build_denoise_work
from inference.operations.shared.side_call import run_beside


@dataclass(frozen=True, eq=False)
class Mk2Input:
    """One picture of the batch, ready for one pass."""

    #: The pass's whole canvas with the new area begun, `RGB`.
    canvas: Image.Image
    #: What is denoised of it.
    masked_start: MaskedStart


def outpaint_mk2(
    job: OutpaintJob, model: str, outpaint_plan: OutpaintPlan, lists: WildcardLists
) -> Generator[WorkRequest, list[Any], list[PaintedCanvas]]:
    """Paint a canvas for each picture of the batch; the seed goes up by one with each pass.

    Passes of one side are alike: with one seed they would repeat their pattern.
    """
    passes = mk2.plan_passes(
        outpaint_plan.source.size, outpaint_plan.canvas, outpaint_plan.tile, job.mask_blur
    )
    images = [outpaint_plan.source] * job.batch
    first_seeds = [count_seed(job.seed, index * len(passes)) for index in range(job.batch)]
    prompt_fields = [resolve_wildcards(job, seed, lists) for seed in first_seeds]
    first_works: list[DenoiseWork] = []
    for number, outpaint_pass in enumerate(passes):
        pass_inputs = yield from run_beside(
            partial(_prepare_passes, job, images, outpaint_pass), outpaint_pass.canvas
        )
        works = tuple(
            build_denoise_work(
                job,
                model,
                pass_input.masked_start.image.size,
                **prompt_fields[index] | {"seed": count_seed(first_seeds[index], number)},
                **pass_input.masked_start.work_fields,
            )
            for index, pass_input in enumerate(pass_inputs)
        )
        first_works = first_works or list(works)
        later_units = (len(passes) - number - 1) * job.steps * job.batch
        results = yield WorkRequest(works=works, later_units=later_units)
        images = yield from run_beside(
            partial(_finish_passes, job, outpaint_pass, pass_inputs, results), outpaint_pass.canvas
        )
    return list(zip(images, first_works, strict=True))


def _prepare_passes(
    job: OutpaintJob, images: Sequence[Image.Image], outpaint_pass: OutpaintPass
) -> list[Mk2Input]:
    return [_prepare_pass(job, image, outpaint_pass) for image in images]


def _finish_passes(
    job: OutpaintJob,
    outpaint_pass: OutpaintPass,
    pass_inputs: Sequence[Mk2Input],
    results: Sequence[DenoiseResult],
) -> list[Image.Image]:
    return [
        _finish_pass(job, outpaint_pass, pass_input, result)
        for pass_input, result in zip(pass_inputs, results, strict=True)
    ]


def _prepare_pass(job: OutpaintJob, image: Image.Image, outpaint_pass: OutpaintPass) -> Mk2Input:
    """Begin the new area with matched noise and cut out what is denoised."""
    canvas = mk2.prepare_pass_canvas(
        image, outpaint_pass, fall_off=job.fall_off, colour_variation=job.colour_variation
    )
    blurred_mask = masks.blur_mask(
        mk2.kept_box_mask(outpaint_pass.canvas, outpaint_pass.kept_box),
        outpaint_pass.blur_x,
        outpaint_pass.blur_y,
    )
    latent_area = mk2.kept_box_mask(outpaint_pass.canvas, outpaint_pass.latent_kept_box)
    masked_start = prepare_masked_start(
        canvas.crop(outpaint_pass.crop),
        blurred_mask.crop(outpaint_pass.crop),
        "original",
        latent_area=latent_area.crop(outpaint_pass.crop),
    )
    return Mk2Input(canvas, masked_start)


def _finish_pass(
    job: OutpaintJob, outpaint_pass: OutpaintPass, pass_input: Mk2Input, result: DenoiseResult
) -> Image.Image:
    """Lay the old picture over a pass's result and put it into the canvas."""
    start_image = pass_input.masked_start.image
    overlay = masks.overlay_mask(pass_input.masked_start.mask)
    patch = composite_under_mask(finish_image(job, result, start_image), start_image, overlay)
    return mk2.paste_pass_result(pass_input.canvas, patch, outpaint_pass)
