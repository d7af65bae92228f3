"""A picture alone: where a job has no words, it takes those by which its picture is described."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from inference.api.jobs.kinds import CaptionedJob
from inference.api.notices import Notice
from inference.engine.work import JobResult, Operation
from inference.images.mask.fill import flatten_alpha
from inference.model_files.errors import ModelError
from inference.operations.context import Images, OperationContext
from inference.operations.shared.side_call import run_beside

RunJob = Callable[[Any, Images, OperationContext], Operation]


def with_captioned_prompt(run: RunJob) -> RunJob:
    """Have an operation describe the picture first, where the job asks for that.

    Where nothing here can describe, or the describer fails, the job goes on without words.
    """

    def run_captioned(job: CaptionedJob, images: Images, context: OperationContext) -> Operation:
        if not job.caption_prompt or job.prompt.strip() or context.describe is None:
            return (yield from run(job, images, context))
        source = images["image"]
        picture = yield from run_beside(lambda: flatten_alpha(source), source.size)
        try:
            caption: str = yield from context.describe(picture, "caption")
        except ModelError:
            return (yield from run(job, images, context))
        changes: dict[str, Any] = {"prompt": caption, "caption_prompt": False}
        result: JobResult = yield from run(dataclasses.replace(job, **changes), images, context)
        note = Notice("prompt.captioned", prompt=caption)
        return dataclasses.replace(result, notes=(note, *result.notes))

    return run_captioned
