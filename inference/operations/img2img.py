"""Img2img: a picture repainted as the prompt says."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from PIL import Image

from inference.api.infotext.job_values import job_values
from inference.api.jobs import EditingJob, Img2ImgJob
from inference.engine.work import DenoiseResult, JobResult, Operation, OutputImage, WorkRequest
from inference.images.colour.correction import correct_colours
from inference.images.mask.fill import flatten_alpha
from inference.images.regions import Size
from inference.images.resize import ResizeMode, fit_image
from inference.operations.context import Images, OperationContext
from inference.operations.shared import sizes
from inference.operations.shared.batch_variants import batch_variants, work_notes
from inference.operations.shared.control import open_control
from inference.operations.shared.latents import encode_latent, upscale_latent
from inference.operations.shared.parameters import build_denoise_work, build_infotext
from inference.operations.shared.references import check_references, fit_references
from inference.operations.shared.restoration import restore_results
from inference.operations.shared.side_call import run_beside


@dataclass(frozen=True, eq=False)
class InitImage:
    """What a repaint begins from."""

    #: `RGB`, the size to denoise at.
    image: Image.Image
    #: Begun from instead of the picture: [C, h, w] float32, or None.
    latent: torch.Tensor | None = None

    @property
    def work_fields(self) -> dict[str, Any]:
        """The fields of a `DenoiseWork` that say this."""
        return {"image": self.image, "latent": self.latent}


def run_img2img(job: Img2ImgJob, images: Images, context: OperationContext) -> Operation:
    """Fit the source, paint the job's batch over it."""
    model = context.resolve_model(job)
    job = context.resolve_refiner(job, model)
    context.check_restorers(job)
    check_references(job, images, context, model)
    source, size = yield from open_source(job, images, context, model)
    init_image = yield from prepare_init_image(
        job, model, source, size, later_units=job.steps * job.batch
    )
    references = yield from fit_references(job, source, images, context, model)
    control = open_control(job, images, context, model)
    controls = yield from control.prepare(size)
    works = tuple(
        build_denoise_work(
            job,
            model,
            size,
            **variant,
            part=number if job.batch > 1 else None,
            controls=controls,
            **init_image.work_fields,
            references=references,
        )
        for number, variant in enumerate(batch_variants(job, context.lists))
    )
    results = yield WorkRequest(works=works)
    results, restore_notes = yield from restore_results(job, results, context)
    finished_images = yield from finish_images(job, results, init_image.image)
    traits = context.library.model_traits(model)
    image_guidance = {"Image CFG scale": job.image_guidance} if traits.is_instructed else {}
    values = image_guidance | job_values(job) | control.values | context.refiner_values(job)
    return JobResult(
        images=tuple(
            OutputImage(
                image=image,
                seed=work.seed,
                infotext=build_infotext(work, traits, **values),
            )
            for work, image in zip(works, finished_images, strict=True)
        ),
        notes=(
            *work_notes(works),
            *restore_notes,
            *control.notes,
            *sizes.rounded_note(
                (job.width, job.height), size, context.library.size_multiple(model)
            ),
        ),
    )


def open_source(
    job: EditingJob, images: Images, context: OperationContext, model: str
) -> Generator[WorkRequest, list[Any], tuple[Image.Image, Size]]:
    """Give the source as `RGB` and the size to denoise at.

    Raises:
        JobError: the size is beyond the host's limit.
        ImageError: the picture is too small or fully transparent.
    """
    sizes.check_source(images["image"])
    natural_source = images["image"]
    source = yield from run_beside(partial(flatten_alpha, natural_source), natural_source.size)
    natural = context.library.natural_size(model)
    multiple = context.library.size_multiple(model)
    size = sizes.target_size(job.width, job.height, source.size, natural, multiple)
    sizes.check_pixels(*size, context.max_pixels)
    if job.resize_mode == ResizeMode.LATENT_UPSCALE:
        sizes.check_pixels(*source.size, context.max_pixels)
    return source, size


def prepare_init_image(
    job: EditingJob, model: str, source: Image.Image, size: Size, later_units: int
) -> Generator[WorkRequest, list[Any], InitImage]:
    """Bring the source to the size, as the job's resize mode says; `later` units follow.

    A latent upscale encodes the source at its own size and enlarges the latent.
    """
    mode = ResizeMode(job.resize_mode)
    if mode is not ResizeMode.LATENT_UPSCALE:
        call = partial(fit_image, source, *size, mode)
        return InitImage((yield from run_beside(call, max(size, source.size, key=math.prod))))
    latent = yield from encode_latent(job, model, source, later_units)
    call = partial(fit_image, source, *size, ResizeMode.JUST_RESIZE)
    image = yield from run_beside(call, max(size, source.size, key=math.prod))
    return InitImage(image, upscale_latent(latent, size))


def finish_images(
    job: EditingJob, results: Sequence[DenoiseResult], target: Image.Image
) -> Generator[WorkRequest, list[Any], list[Image.Image]]:
    """Give the results' pictures, in the target's colours where the job wants that."""

    def finish_all() -> list[Image.Image]:
        return [finish_image(job, result, target) for result in results]

    if job.colour_correction:
        return (yield from run_beside(finish_all, target.size))
    return finish_all()


def finish_image(job: EditingJob, result: DenoiseResult, target: Image.Image) -> Image.Image:
    """Give a result's picture, in the target's colours where the job wants that."""
    image = result.image or target
    return correct_colours(image, target) if job.colour_correction else image
