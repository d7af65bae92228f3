"""Inpaint: the masked part of a picture repainted, and everything else left as it was."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from PIL import Image

from inference.api.infotext.job_values import job_values
from inference.api.jobs import InpaintJob
from inference.api.jobs.drawn_prompts import WildcardLists
from inference.api.notices import Notice
from inference.diffusion.model import ModelTraits
from inference.engine.work import (
    ControlWork,
    DenoiseResult,
    DenoiseWork,
    JobResult,
    Operation,
    OutputImage,
    WorkRequest,
)
from inference.images.mask import masks, soft_inpainting
from inference.images.mask.preview import inspect_mask
from inference.images.resize import ResizeMode
from inference.operations.context import Images, OperationContext
from inference.operations.img2img import finish_image
from inference.operations.mask.mask_input import resolve_mask
from inference.operations.mask.masked_job import MaskedJob
from inference.operations.mask.masked_start import MaskedStart, prepare_masked_start
from inference.operations.mask.seam_report import (
    SeamReport,
    measure_seam,
    repair_note,
    seam_mask,
    seam_note,
    seam_values,
)
from inference.operations.mask.work_area import choose_work_area
from inference.operations.shared import sizes
from inference.operations.shared.batch_variants import batch_variants, work_notes
from inference.operations.shared.control import open_control
from inference.operations.shared.latents import encode_latent, encode_only_work, upscale_latent
from inference.operations.shared.parameters import build_denoise_work, build_infotext
from inference.operations.shared.references import check_references, fit_references
from inference.operations.shared.restoration import restore_results
from inference.operations.shared.side_call import run_beside

#: Below this share of its own size a picture loses what a cut-out would keep.
MIN_WORK_SCALE = 0.75


def run_inpaint(job: InpaintJob, images: Images, context: OperationContext) -> Operation:
    """Find the mask and what to work on, repaint it, lay the results back."""
    model = context.resolve_model(job)
    context.check_restorers(job)
    check_references(job, images, context, model)
    masked_job = yield from resolve_mask(job, images)
    natural, multiple = context.library.natural_size(model), context.library.size_multiple(model)
    masked_job = yield from run_beside(
        partial(choose_work_area, masked_job, natural, context.max_pixels, multiple),
        masked_job.source.size,
    )
    start = yield from _prepare_start(masked_job, model, context.max_pixels)
    references = yield from fit_references(job, masked_job.area.image, images, context, model)
    control = open_control(job, images, context, model)
    controls = yield from control.prepare(masked_job.area.size, masked_job.part_of_whole)
    works = tuple(
        replace(work, references=references)
        for work in _build_works(masked_job, start, model, context.lists, controls)
    )
    encode_works = (encode_only_work(job, model, start.image),) if job.soft else ()
    results = yield WorkRequest(works=(*encode_works, *works))
    encoded_sources, results = results[: len(encode_works)], results[len(encode_works) :]
    results, restore_notes = yield from restore_results(job, results, context)
    traits = context.library.model_traits(model)
    values = _inpaint_values(job, traits) | control.values
    finish = partial(
        _finish, masked_job, start, works, [*encoded_sources, *results], traits, values
    )
    result = yield from run_beside(finish, masked_job.source.size)
    requested_size = (masked_job.job.width, masked_job.job.height)
    size_notes = sizes.rounded_note(requested_size, masked_job.area.size, multiple)
    notes = (*result.notes, *size_notes, *restore_notes, *control.notes)
    return replace(result, notes=notes)


def _prepare_start(
    masked_job: MaskedJob, model: str, max_pixels: int
) -> Generator[WorkRequest, list[Any], MaskedStart]:
    """Put the masked content under the mask; a latent upscale encodes the source at its own size.

    Raises:
        JobError: there is more to work on than the host allows.
    """
    job, area = masked_job.job, masked_job.area
    sizes.check_pixels(*area.size, max_pixels)
    start = yield from run_beside(
        partial(prepare_masked_start, area.image, area.mask, job.masked_content, soft=job.soft),
        area.size,
    )
    if not _uses_latent_upscale(job):
        return start
    sizes.check_pixels(*masked_job.source.size, max_pixels)
    image = yield from run_beside(partial(_fill_source, masked_job), masked_job.source.size)
    latent = yield from encode_latent(job, model, image, later_units=job.steps * job.batch)
    return replace(start, latent=upscale_latent(latent, area.size))


def _fill_source(masked_job: MaskedJob) -> Image.Image:
    """Put the masked content under the mask of the source at its own size."""
    mask = masks.blur_mask(masked_job.mask, masked_job.job.mask_blur)
    return prepare_masked_start(masked_job.source, mask, masked_job.job.masked_content).image


def _build_works(
    masked_job: MaskedJob,
    start: MaskedStart,
    model: str,
    lists: WildcardLists,
    controls: tuple[ControlWork, ...],
) -> tuple[DenoiseWork, ...]:
    """Build the batch's works.

    Soft ones are no parts: how they are laid back is read off their latents.
    """
    job = masked_job.job
    keeps_parts = job.batch > 1 and not job.soft
    return tuple(
        build_denoise_work(
            job,
            model,
            masked_job.area.size,
            **variant,
            **start.work_fields,
            controls=controls,
            part=number if keeps_parts else None,
        )
        for number, variant in enumerate(batch_variants(job, lists))
    )


def _uses_latent_upscale(job: InpaintJob) -> bool:
    """Whether the resize mode applies at all and means latents."""
    has_size = job.width is not None or job.height is not None
    is_whole_image = job.area == "whole picture"
    return has_size and is_whole_image and job.resize_mode == ResizeMode.LATENT_UPSCALE


def _finish(
    masked_job: MaskedJob,
    start: MaskedStart,
    works: Sequence[DenoiseWork],
    results: list[DenoiseResult],
    traits: ModelTraits,
    values: Mapping[str, object],
) -> JobResult:
    """Lay the results back, measure their seams, and write down how each was made."""
    job = masked_job.job
    encoded_source = results.pop(0) if job.soft else None
    images = [_finish_image(masked_job, start, result, encoded_source) for result in results]
    seam_reports = [measure_seam(image, masked_job.area.hard_mask) for image in images]
    return JobResult(
        images=tuple(
            OutputImage(
                image=image,
                seed=work.seed,
                infotext=build_infotext(work, traits, **values, **seam_values(seam_report)),
            )
            for image, work, seam_report in zip(images, works, seam_reports, strict=True)
        ),
        notes=(
            *work_notes(works),
            *masked_job.notes,
            *_work_area_notes(masked_job),
            *_seam_notes(masked_job, seam_reports),
        ),
        seams=seam_mask(seam_reports) if job.area != "mask edge" else (),
    )


def _finish_image(
    masked_job: MaskedJob,
    start: MaskedStart,
    result: DenoiseResult,
    encoded_source: DenoiseResult | None,
) -> Image.Image:
    """Correct a result's colours and lay it into the picture it belongs to."""
    area = masked_job.area
    image = finish_image(masked_job.job, result, start.image)
    if encoded_source is None:
        return area.put_back(image)
    mask = soft_inpainting.composite_mask(
        encoded_source.latent.numpy(),
        result.latent.numpy(),
        start.latent_mask,
        area.size,
        soft_inpainting.SoftSettings(),
    )
    return area.put_back(image, area.place_mask(mask))


def _seam_notes(masked_job: MaskedJob, seam_reports: Sequence[SeamReport]) -> tuple[Notice, ...]:
    """Say whether the border shows; after a coherence pass, what that did for it."""
    if masked_job.job.area != "mask edge":
        return seam_note(seam_reports)
    return repair_note(measure_seam(masked_job.source, masked_job.mask), seam_reports)


def _work_area_notes(masked_job: MaskedJob) -> tuple[Notice, ...]:
    """Say what the mask will do, and at which size it is worked on."""
    job, area = masked_job.job, masked_job.area
    if job.area == "mask edge":
        return (Notice("area.band", gain=area.resolution_gain),)
    only_masked = job.area == "only masked"
    mask_report = inspect_mask(
        masked_job.mask,
        area.size,
        blur=job.mask_blur,
        padding=job.padding,
        only_masked=only_masked,
    )
    notes = [finding.message for finding in mask_report.warnings]
    if only_masked:
        notes.append(Notice("area.masked", gain=area.resolution_gain))
    elif area.original is masked_job.source and area.resolution_gain.scale_factor < MIN_WORK_SCALE:
        notes.append(Notice("area.picture", gain=area.resolution_gain))
    return tuple(notes)


def _inpaint_values(job: InpaintJob, model: ModelTraits) -> dict[str, object]:
    """Write the job's own options, and what the field writes about soft inpainting."""
    settings = soft_inpainting.SoftSettings()
    image_guidance = {"Image CFG scale": job.image_guidance} if model.is_instructed else {}
    values = image_guidance | job_values(job)
    if model.is_inpainting:
        values["Conditional mask weight"] = job.mask_weight
    if job.soft:
        values |= {
            "Soft inpainting schedule bias": settings.blend_power,
            "Soft inpainting preservation strength": settings.blend_scale,
            "Soft inpainting transition contrast boost": settings.detail,
            "Soft inpainting mask influence": settings.mask_influence,
            "Soft inpainting difference threshold": settings.difference_threshold,
            "Soft inpainting difference contrast": settings.difference_contrast,
        }
    return values
