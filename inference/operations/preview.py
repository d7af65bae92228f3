"""Preview: where a picture would be repainted, shown before any network runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from PIL import Image

from inference.api.jobs import InpaintJob, PreviewJob
from inference.api.notices import Notice
from inference.engine.work import JobResult, Operation, OutputImage
from inference.images.mask import grid_overlay
from inference.images.mask import preview as overlay
from inference.images.mask.fill import drop_alpha
from inference.operations.context import Images, OperationContext
from inference.operations.mask.mask_input import resolve_mask
from inference.operations.mask.masked_job import MaskedJob
from inference.operations.mask.work_area import choose_work_area
from inference.operations.shared import sizes
from inference.operations.shared.side_call import run_beside

PREVIEW_ROLE = "preview"


def run_preview(job: PreviewJob, images: Images, context: OperationContext) -> Operation:
    """Draw the mask, or a lettered grid, over the picture; say what looks wrong with the mask."""
    model = context.library.resolve_name("")
    natural, multiple = context.library.natural_size(model), context.library.size_multiple(model)
    if job.show == "grid":
        call: Callable[[], JobResult] = partial(_preview_grid, images["image"])
    else:
        inpaint_job = InpaintJob(mask_shape=job.mask_shape, mask_mode=job.mask_mode)
        masked_job = yield from resolve_mask(inpaint_job, images)
        call = partial(_preview_mask, masked_job, natural, multiple)
    return (yield from run_beside(call, images["image"].size))


def _preview_grid(image: Image.Image) -> JobResult:
    sizes.check_source(image)
    grid_image = grid_overlay.draw_lettered_grid(
        image if image.mode == "RGB" else drop_alpha(image)
    )
    return JobResult(images=(OutputImage(image=grid_image, role=PREVIEW_ROLE),))


def _preview_mask(masked_job: MaskedJob, natural: int, multiple: int) -> JobResult:
    job = masked_job.job
    size = choose_work_area(masked_job, natural, multiple=multiple).area.size
    mask_report = overlay.inspect_mask(masked_job.mask, size, blur=job.mask_blur)
    only_masked_area = choose_work_area(
        replace(masked_job, job=replace(job, area="only masked")), natural, multiple=multiple
    ).area
    is_partial = only_masked_area.box != (0, 0, *masked_job.source.size)
    overlay_image = overlay.draw_mask_preview(
        masked_job.source, masked_job.mask, only_masked_area.box if is_partial else None
    )
    summary_notes = [Notice("area.share", share=f"{mask_report.share:.0%}")]
    if is_partial:
        summary_notes.append(Notice("area.box", gain=only_masked_area.resolution_gain))
    notes = (
        *summary_notes,
        *masked_job.notes,
        *(finding.message for finding in mask_report.warnings),
    )
    return JobResult(images=(OutputImage(image=overlay_image, role=PREVIEW_ROLE),), notes=notes)
