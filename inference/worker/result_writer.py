"""Finished pictures become files beside the steps, in a thread of their own.

What the thread logs is bound to the job that the one who calls was at work on.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path

from inference.api import wire
from inference.api.errors import InferenceError, WireError
from inference.api.messages import JobFailed, JobFinished, JobsWaiting, OutputFile, PartFinished
from inference.api.notices import Notice
from inference.engine.partial_results import PartialResult
from inference.engine.task import JobRun
from inference.engine.work import JobResult, OutputImage

log = logging.getLogger(__name__)


class ResultWriter:
    """Writes outcomes to files and tells of them."""

    def __init__(
        self,
        folder: Path,
        send_event: Callable[[JobFinished | JobFailed | PartFinished | JobsWaiting], None],
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._tell = send_event
        #: Whose results are to be written, in order.
        self._waiting_keys: dict[tuple[str, int], None] = {}
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbox")

    def write_result(self, run: JobRun, result: JobResult, seconds: float) -> None:
        """Save an outcome's pictures and send the event that names them."""
        self._waiting_keys[run.attempt_key] = None
        self._pool.submit(copy_context().run, self._save_result, run, result, seconds)

    def write_part(self, run: JobRun, part: PartialResult) -> None:
        """Save a finished part and send the event that names it."""
        self._pool.submit(copy_context().run, self._save_part, run, part)

    def finish_writing(self) -> None:
        """Wait for everything to be told."""
        self._pool.shutdown(wait=True)

    def _save_result(self, run: JobRun, result: JobResult, seconds: float) -> None:
        try:
            images = tuple(self._write_image(output) for output in result.images)
            seams = tuple(self._write_image(output) for output in result.seams)
        except Exception as error:
            self._waiting_keys.pop(run.attempt_key, None)
            log.exception("Job %s: its pictures could not be saved.", run.job_id)
            self._tell(failed_event(run.job_id, run.attempt, error))
            return
        self._waiting_keys.pop(run.attempt_key, None)
        self._tell(
            _fit_event(
                JobFinished(
                    job_id=run.job_id,
                    attempt=run.attempt,
                    images=images,
                    text=result.text,
                    notes=result.notes,
                    seams=seams,
                    seconds=seconds,
                    gpu_seconds=run.charged_seconds,
                    flops=run.flops,
                )
            )
        )

    def _save_part(self, run: JobRun, part: PartialResult) -> None:
        try:
            image = self._write_image(OutputImage(image=part.image, role="part"))
        except Exception:
            # Nothing is lost by it but the time to do it again, should this attempt fail.
            log.exception("Job %s: a part could not be saved.", run.job_id)
            return
        self._tell(
            PartFinished(
                job_id=run.job_id,
                attempt=run.attempt,
                part=part.number,
                mark=part.fingerprint,
                image=image,
            )
        )

    def _write_image(self, output: OutputImage) -> OutputFile:
        if waiting_keys := tuple(self._waiting_keys):
            # Before each file: who waits behind large ones is not forgotten, unless this hangs.
            self._tell(JobsWaiting(jobs=waiting_keys))
        data, media_type = output.encode_file()
        handle, name = tempfile.mkstemp(dir=self._folder, suffix="." + media_type.split("/")[1])
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        return OutputFile(
            path=str(Path(name).resolve()),
            width=output.image.width,
            height=output.image.height,
            media_type=media_type,
            role=output.role,
            seed=output.seed,
            infotext=output.infotext,
        )


def _fit_event(event: JobFinished) -> JobFinished:
    """Leave the parameters of all pictures but the first to their files where they are too long."""
    try:
        wire.encode_message(event)
    except WireError:
        bare_images = tuple(replace(image, infotext="") for image in event.images[1:])
        return replace(
            event,
            images=event.images[:1] + bare_images,
            notes=(*event.notes, Notice("result.parameters_in_files")),
        )
    return event


def failed_event(job_id: str, attempt: int, error: BaseException) -> JobFailed:
    """Make the event that tells of a failed job."""
    kind, reason = "engine", Notice("job.broke", error=type(error).__name__)
    if isinstance(error, InferenceError):
        kind, reason = error.error_kind, error.notice
    if kind == "engine":
        log.error("Job %s failed.", job_id, exc_info=error, extra={"action": "job_failed"})
    return JobFailed(job_id=job_id, attempt=attempt, reason=reason, error_kind=kind)
