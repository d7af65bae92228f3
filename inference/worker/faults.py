"""Errors become the words that a job's owner reads, and say whether trying again may help."""

from __future__ import annotations

import logging

from inference.errors import InferenceError, JobError, OutOfMemory
from inference.events import Failed
from inference.models.errors import ModelError
from inference.pictures.errors import PictureError

log = logging.getLogger(__name__)


def failed(job_id: str, attempt: int, error: BaseException) -> Failed:
    """Make the event that tells of a failed job."""
    match error:
        case JobError() | PictureError():
            fault = "input"
        case ModelError():
            fault = "model"
        case OutOfMemory():
            fault = "memory"
        case _:
            fault = "engine"
    if fault == "engine":
        log.error("Job %s failed.", job_id, exc_info=error, extra={"action": "job_failed"})
    words = f"Something broke inside Easel ({type(error).__name__})."
    if isinstance(error, InferenceError):
        words = str(error)
    return Failed(job_id=job_id, attempt=attempt, reason=words, fault=fault)
