"""Errors become the words that a job's owner reads, and say whether trying again may help."""

from __future__ import annotations

import logging

from inference.api.errors import InferenceError, JobError, OutOfMemory
from inference.api.messages import JobFailed
from inference.images.errors import ImageError
from inference.model_files.errors import ModelError

log = logging.getLogger(__name__)


def failed_event(job_id: str, attempt: int, error: BaseException) -> JobFailed:
    """Make the event that tells of a failed job."""
    match error:
        case JobError() | ImageError():
            fault = "input"
        case ModelError():
            fault = "model"
        case OutOfMemory():
            fault = "memory"
        case _:
            fault = "engine"
    if fault == "engine":
        log.error("Job %s failed.", job_id, exc_info=error, extra={"action": "job_failed"})
    reason = f"Something broke inside Easel ({type(error).__name__})."
    if isinstance(error, InferenceError):
        reason = str(error)
    return JobFailed(job_id=job_id, attempt=attempt, reason=reason, error_kind=fault)
