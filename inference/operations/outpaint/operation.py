"""Outpaint: a picture continued beyond its edges."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from PIL import Image

from inference.api.infotext.job_values import job_values
from inference.api.jobs import OutpaintJob
from inference.diffusion.model import ModelTraits
from inference.engine.work import DenoiseWork, JobResult, Operation, OutputImage, WorkRequest
from inference.operations.context import Images, OperationContext
from inference.operations.mask.seam_report import (
    SeamReport,
    measure_seam,
    seam_mask,
    seam_note,
    seam_values,
)
from inference.operations.outpaint import mk2, poor_mans
from inference.operations.outpaint.growth import OutpaintPlan, growth_notes, plan_outpaint
from inference.operations.outpaint.poor_mans import PaintedCanvas
from inference.operations.shared.batch_variants import work_notes
from inference.operations.shared.parameters import build_infotext
from inference.operations.shared.side_call import run_beside

OUTPAINT_FUNCTIONS: Mapping[
    str, Callable[..., Generator[WorkRequest, list[Any], list[PaintedCanvas]]]
] = MappingProxyType({"poor man's": poor_mans.outpaint_poor_mans, "mk2": mk2.outpaint_mk2})


def run_outpaint(job: OutpaintJob, images: Images, context: OperationContext) -> Operation:
    """Grow the canvas, paint what is new, measure the border."""
    model = context.resolve_model(job)
    outpaint_plan = yield from plan_outpaint(job, images, context, model)
    painted_canvases = yield from OUTPAINT_FUNCTIONS[job.method](
        job, model, outpaint_plan, context.lists
    )
    traits = context.library.model_traits(model)
    outputs = yield from run_beside(
        partial(_crop_outputs, job, outpaint_plan, painted_canvases, traits),
        painted_canvases[0][0].size,
    )
    return JobResult(
        images=tuple(output for output, _ in outputs),
        notes=(
            *work_notes([work for _, work in painted_canvases]),
            *growth_notes(job, outpaint_plan),
            *seam_note([seam_report for _, seam_report in outputs]),
        ),
        seams=seam_mask([seam_report for _, seam_report in outputs]),
    )


def _crop_outputs(
    job: OutpaintJob,
    outpaint_plan: OutpaintPlan,
    painted_canvases: Sequence[PaintedCanvas],
    traits: ModelTraits,
) -> list[tuple[OutputImage, SeamReport]]:
    return [
        _crop_output(job, outpaint_plan, image, work, traits) for image, work in painted_canvases
    ]


def _crop_output(
    job: OutpaintJob,
    outpaint_plan: OutpaintPlan,
    canvas: Image.Image,
    work: DenoiseWork,
    model: ModelTraits,
) -> tuple[OutputImage, SeamReport]:
    """Cut one picture of the answer out of its canvas and measure its border."""
    image = canvas.crop(outpaint_plan.result_box)
    seam_report = measure_seam(image, *outpaint_plan.seam_masks(_latent_inset(job)))
    return OutputImage(
        image=image,
        seed=work.seed,
        infotext=build_infotext(work, model, **job_values(job), **seam_values(seam_report)),
    ), seam_report


def _latent_inset(job: OutpaintJob) -> int:
    """Return how far inside the source the latent mask ends, in pixels."""
    return job.mask_blur // 2 if job.method == "poor man's" else 2 * job.mask_blur
