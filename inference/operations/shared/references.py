"""Pictures that a checkpoint looks at while it edits one by an instruction."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

from PIL import Image

from inference.api.errors import JobError
from inference.api.jobs import Img2ImgJob, InpaintJob
from inference.api.messages import INSTRUCT_ROLE
from inference.engine.work import WorkRequest
from inference.images.mask.fill import flatten_alpha
from inference.operations.context import Images, OperationContext
from inference.operations.shared import sizes
from inference.operations.shared.reference_fit import fit_reference
from inference.operations.shared.side_call import run_beside


def check_references(
    job: Img2ImgJob | InpaintJob, images: Images, context: OperationContext, model: str
) -> None:
    """See that a job's model edits by instructions, and looks at as many pictures as are given.

    Raises:
        JobError: it does not.
        ImageError: a picture is too small or fully transparent.
    """
    given_names = [name for name in job.reference_images if name in images]
    if not job.instruct:
        return
    most, count = context.library.count_references(model), 1 + len(given_names)
    if not most:
        raise JobError("model", "edit.no_references", name=model)
    if count > most:
        name = given_names[most - 1]
        raise JobError(name, "edit.too_many_references", name=model, most=most, count=count)
    for name in given_names:
        sizes.check_source(images[name])


def fit_references(
    job: Img2ImgJob | InpaintJob,
    source: Image.Image,
    images: Images,
    context: OperationContext,
    model: str,
) -> Generator[WorkRequest, list[Any], tuple[Image.Image, ...]]:
    """Give what the model looks at, the edited `RGB` picture first; none unless it edits so.

    A checkpoint of further channels (InstructPix2Pix) sees its picture there instead.
    """
    if not job.instruct or context.library.checkpoint_role(model) == INSTRUCT_ROLE:
        return ()
    fit = context.library.reference_fit(model)
    fitted = [(yield from run_beside(partial(fit_reference, source, fit), source.size))]
    for name in job.reference_images:
        if name in images:
            call = partial(_fit_flat, images[name], fit)
            fitted.append((yield from run_beside(call, images[name].size)))
    return tuple(fitted)


def _fit_flat(image: Image.Image, fit: str) -> Image.Image:
    return fit_reference(flatten_alpha(image), fit)
