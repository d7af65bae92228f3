"""Preview: where a picture would be repainted, shown before any network runs."""

from __future__ import annotations

from dataclasses import replace

from inference.api.jobs import InpaintJob, PreviewJob
from inference.engine.work import JobResult, Operation, OutputImage, WorkRequest
from inference.images.mask import grid_overlay
from inference.images.mask import preview as overlay
from inference.images.mask.fill import drop_alpha
from inference.operations.context import Images, OperationContext
from inference.operations.mask.mask_input import MaskedJob, resolve_mask
from inference.operations.mask.segmentation import segment_named
from inference.operations.mask.work_area import choose_work_area
from inference.operations.shared import sizes

PREVIEW_ROLE = "preview"


def run_preview(job: PreviewJob, images: Images, context: OperationContext) -> Operation:
    """Draw the mask, or a lettered grid, over the picture; say what looks wrong with the mask."""
    yield WorkRequest(works=())
    if job.show == "grid":
        image = images["image"]
        sizes.check_source(image)
        grid_image = grid_overlay.draw_lettered_grid(
            image if image.mode == "RGB" else drop_alpha(image)
        )
        return JobResult(images=(OutputImage(image=grid_image, role=PREVIEW_ROLE),))
    inpaint_job = InpaintJob(mask_shape=job.mask_shape, mask_mode=job.mask_mode)
    object_masks = yield from segment_named(images["image"], job.mask_shape)
    return _preview_mask(inpaint_job, resolve_mask(inpaint_job, images, object_masks), context)


def _preview_mask(
    inpaint_job: InpaintJob, masked_job: MaskedJob, context: OperationContext
) -> JobResult:
    natural = context.library.natural_size(context.library.resolve_name(""))
    work_area = choose_work_area(inpaint_job, masked_job, natural)
    mask_report = overlay.inspect_mask(masked_job.mask, work_area.size, blur=inpaint_job.mask_blur)
    only_masked_area = choose_work_area(
        replace(inpaint_job, area="only masked"), masked_job, natural
    )
    is_partial = only_masked_area.box != (0, 0, *masked_job.source.size)
    overlay_image = overlay.draw_mask_preview(
        masked_job.source, masked_job.mask, only_masked_area.box if is_partial else None
    )
    summary_notes = [f"{mask_report.share:.0%} of the picture would be repainted."]
    if is_partial:
        summary_notes.append(
            "With “only masked”, the dashed box is worked on and renders at "
            f"{only_masked_area.resolution_gain}."
        )
    notes = (
        *summary_notes,
        *masked_job.notes,
        *(finding.message for finding in mask_report.warnings),
    )
    return JobResult(images=(OutputImage(image=overlay_image, role=PREVIEW_ROLE),), notes=notes)
