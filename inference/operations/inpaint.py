"""Inpaint: the masked part of a picture repainted, and everything else left as it was."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from PIL import Image

from inference.api.jobs import InpaintJob
from inference.diffusion.model import ModelTraits
from inference.engine.work import (
    DenoiseResult,
    DenoiseWork,
    JobResult,
    Operation,
    OutputImage,
    WorkRequest,
)
from inference.images.colour.correction import correct_colours
from inference.images.mask import masks, soft_inpainting
from inference.images.mask.preview import inspect_mask
from inference.images.resize import ResizeMode
from inference.operations.context import Images, OperationContext
from inference.operations.mask.mask_input import MaskedJob, resolve_mask
from inference.operations.mask.masked_start import MaskedStart, prepare_masked_start
from inference.operations.mask.seam_report import (
    SeamReport,
    measure_seam,
    repair_note,
    seam_mask,
    seam_note,
    seam_values,
)
from inference.operations.mask.segmentation import segment_named
from inference.operations.mask.work_area import WorkArea, choose_work_area
from inference.operations.shared import sizes
from inference.operations.shared.batch_variants import WildcardLists, batch_variants, work_notes
from inference.operations.shared.latents import encode_latent, encode_only_work, upscale_latent
from inference.operations.shared.parameters import build_denoise_work, build_infotext

#: Below this share of its own size a picture loses what a cut-out would keep.
MIN_WORK_SCALE = 0.75


def run_inpaint(job: InpaintJob, images: Images, context: OperationContext) -> Operation:
    """Find the mask and what to work on, repaint it, lay the results back."""
    model = context.library.resolve_name(job.model)
    object_masks = yield from segment_named(images["image"], job.mask_shape)
    masked_job = resolve_mask(job, images, object_masks)
    work_area = choose_work_area(
        job, masked_job, context.library.natural_size(model), context.max_pixels
    )
    sizes.check_pixels(*work_area.size, context.max_pixels)
    masked_start = prepare_masked_start(
        work_area.image, work_area.mask, job.masked_content, soft=job.soft
    )
    if _uses_latent_upscale(job):
        sizes.check_pixels(*masked_job.source.size, context.max_pixels)
    works = yield from _denoise_works(
        job, model, masked_job, work_area, masked_start, context.lists
    )
    encode_works: tuple[DenoiseWork, ...] = (
        (encode_only_work(job, model, masked_start.image),) if job.soft else ()
    )
    results = yield WorkRequest(works=encode_works + works)
    encoded_source = results.pop(0) if job.soft else None
    result_images = [
        _compose_result(job, work_area, masked_start, result, encoded_source) for result in results
    ]
    traits = context.library.model_traits(model)
    seam_reports = [measure_seam(image, work_area.hard_mask) for image in result_images]
    return JobResult(
        images=tuple(
            OutputImage(
                image=image,
                seed=work.seed,
                infotext=build_infotext(
                    work, traits, **_inpaint_values(job, traits), **seam_values(seam_report)
                ),
            )
            for image, work, seam_report in zip(result_images, works, seam_reports, strict=True)
        ),
        notes=(
            *work_notes(works),
            *masked_job.notes,
            *_work_area_notes(job, masked_job, work_area),
            *_seam_notes(job, masked_job, seam_reports),
        ),
        seams=seam_mask(seam_reports) if job.area != "mask edge" else (),
    )


def _denoise_works(
    job: InpaintJob,
    model: str,
    masked_job: MaskedJob,
    work_area: WorkArea,
    masked_start: MaskedStart,
    lists: WildcardLists,
) -> Generator[WorkRequest, list[Any], tuple[DenoiseWork, ...]]:
    """Make the batch's works; a latent upscale first encodes the source at its own size.

    Soft ones are no parts: how they are laid back is read off their latents.
    """
    work_fields: dict[str, Any] = masked_start.work_fields
    if _uses_latent_upscale(job):
        blurred_mask = masks.blur_mask(masked_job.mask, job.mask_blur)
        start_image = prepare_masked_start(
            masked_job.source, blurred_mask, job.masked_content
        ).image
        latent = yield from encode_latent(
            job, model, start_image, later_units=job.steps * job.batch
        )
        work_fields["latent"] = upscale_latent(latent, work_area.size)
    keeps_parts = job.batch > 1 and not job.soft
    return tuple(
        build_denoise_work(
            job,
            model,
            work_area.size,
            **variant,
            **work_fields,
            part=number if keeps_parts else None,
        )
        for number, variant in enumerate(batch_variants(job, lists))
    )


def _uses_latent_upscale(job: InpaintJob) -> bool:
    """Whether the resize mode applies at all and means latents."""
    has_size = job.width is not None or job.height is not None
    is_whole_image = job.area == "whole picture"
    return has_size and is_whole_image and job.resize_mode == ResizeMode.LATENT_UPSCALE


def _compose_result(
    job: InpaintJob,
    work_area: WorkArea,
    masked_start: MaskedStart,
    result: DenoiseResult,
    encoded_source: DenoiseResult | None,
) -> Image.Image:
    """Correct a result's colours and lay it into the picture it belongs to."""
    patch = result.image or masked_start.image
    if job.colour_correction:
        patch = correct_colours(patch, masked_start.image)
    if encoded_source is None:
        return work_area.put_back(patch)
    change_mask = soft_inpainting.composite_mask(
        encoded_source.latent.numpy(),
        result.latent.numpy(),
        masked_start.latent_mask,
        work_area.size,
        soft_inpainting.SoftSettings(),
    )
    return work_area.put_back(patch, work_area.place_mask(change_mask))


def _seam_notes(
    job: InpaintJob, masked_job: MaskedJob, seam_reports: Sequence[SeamReport]
) -> tuple[str, ...]:
    """Say whether the border shows; after a coherence pass, what that did for it."""
    if job.area != "mask edge":
        return seam_note(seam_reports)
    return repair_note(measure_seam(masked_job.source, masked_job.mask), seam_reports)


def _work_area_notes(
    job: InpaintJob, masked_job: MaskedJob, work_area: WorkArea
) -> tuple[str, ...]:
    """Say what the mask will do, and at which size it is worked on."""
    if job.area == "mask edge":
        return (
            f"Only a band along the mask's edge was repainted, at {work_area.resolution_gain}.",
            *sizes.rounded_note((job.width, job.height), work_area.size),
        )
    only_masked = job.area == "only masked"
    mask_report = inspect_mask(
        masked_job.mask,
        work_area.size,
        blur=job.mask_blur,
        padding=job.padding,
        only_masked=only_masked,
    )
    notes = [finding.message for finding in mask_report.warnings]
    if only_masked:
        notes.append(f"The masked area renders at {work_area.resolution_gain}.")
    elif (
        work_area.original is masked_job.source
        and work_area.resolution_gain.scale_factor < MIN_WORK_SCALE
    ):
        notes.append(
            f"The picture renders at {work_area.resolution_gain} and is enlarged again; “only "
            "masked” gives the "
            "masked area more detail."
        )
    return (*notes, *sizes.rounded_note((job.width, job.height), work_area.size))


def _inpaint_values(job: InpaintJob, model: ModelTraits) -> dict[str, object]:
    """Write what the field writes about a mask."""
    settings = soft_inpainting.SoftSettings()
    values: dict[str, object] = {
        "Conditional mask weight": job.mask_weight if model.is_inpainting else None,
        "Mask blur": job.mask_blur,
        "Inpaint area": job.area.capitalize(),
        "Masked area padding": job.padding,
        "Masked content": job.masked_content,
        "Mask mode": f"Inpaint {job.mask_mode}",
        "Color correction": job.colour_correction,
    }
    if job.soft:
        values |= {
            "Soft inpainting enabled": True,
            "Soft inpainting schedule bias": settings.blend_power,
            "Soft inpainting preservation strength": settings.blend_scale,
            "Soft inpainting transition contrast boost": settings.detail,
            "Soft inpainting mask influence": settings.mask_influence,
            "Soft inpainting difference threshold": settings.difference_threshold,
            "Soft inpainting difference contrast": settings.difference_contrast,
        }
    return values
