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
from inference.api.commands import DisplayLimits
from inference.api.errors import InferenceError, WireError
from inference.api.messages import (
    DisplayCopy,
    JobFailed,
    JobFinished,
    JobsWaiting,
    OutputFile,
    PartFinished,
)
from inference.api.notices import Notice
from inference.engine.partial_results import PartialResult
from inference.engine.task import JobRun
from inference.engine.work import JobResult, OutputImage
from inference.worker.display_copy import encode_display_copy

log = logging.getLogger(__name__)

#: Files that one message shows.
MAX_MESSAGE_FILES = 10


def find_display_limit(limits: DisplayLimits, output: OutputImage, result: JobResult) -> int:
    """Tell the bytes that one of a result's pictures may have: a message shares its bytes out.

    Several results of one job, a batch, are shown as one sheet, and each in a message of its own.
    """
    batch = [
        image for image in result.images if image.role == "result" and image.encoded_file is None
    ]
    is_shown_alone = len(batch) > 1 and any(image is output for image in batch)
    file_count = 1 if is_shown_alone else len(result.images) - max(0, len(batch) - 1)
    return min(limits.file_bytes, limits.message_bytes // min(file_count, MAX_MESSAGE_FILES))


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

    def write_result(
        self,
        run: JobRun,
        result: JobResult,
        seconds: float,
        limits: DisplayLimits = DisplayLimits(),  # noqa: B008 - frozen
    ) -> None:
        """Save an outcome's pictures and send the event that names them.

        `limits` say for which size of file copies are made where a picture is larger.
        """
        self._waiting_keys[run.attempt_key] = None
        self._pool.submit(copy_context().run, self._save_result, run, result, seconds, limits)

    def write_part(self, run: JobRun, part: PartialResult) -> None:
        """Save a finished part and send the event that names it."""
        self._pool.submit(copy_context().run, self._save_part, run, part)

    def finish_writing(self) -> None:
        """Wait for everything to be told."""
        self._pool.shutdown(wait=True)

    def _save_result(
        self, run: JobRun, result: JobResult, seconds: float, limits: DisplayLimits
    ) -> None:
        try:
            images = tuple(
                self._write_image(output, find_display_limit(limits, output, result))
                for output in result.images
            )
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
                    phrases=result.phrases,
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

    def _write_image(self, output: OutputImage, display_limit: int = 0) -> OutputFile:
        if waiting_keys := tuple(self._waiting_keys):
            # Before each file: who waits behind large ones is not forgotten, unless this hangs.
            self._tell(JobsWaiting(jobs=waiting_keys))
        data, media_type = output.encode_file()
        copies: tuple[DisplayCopy, ...] = ()
        if 0 < display_limit < len(data) and output.encoded_file is None:
            copies = self._write_copies(output, display_limit)
        return OutputFile(
            path=self._write_file(data, media_type),
            width=output.image.width,
            height=output.image.height,
            media_type=media_type,
            role=output.role,
            seed=output.seed,
            infotext=output.infotext,
            copies=copies,
        )

    def _write_copies(self, output: OutputImage, limit: int) -> tuple[DisplayCopy, ...]:
        """Save a copy of at most `limit` bytes; who shows the picture can do without."""
        try:
            copy = encode_display_copy(output.image, limit, output.infotext)
        except Exception:
            log.exception("A picture has no copy to show.")
            return ()
        if copy is None:
            return ()
        return (
            DisplayCopy(
                path=self._write_file(copy.data, copy.media_type),
                width=copy.size[0],
                height=copy.size[1],
                media_type=copy.media_type,
                quality=copy.quality,
            ),
        )

    def _write_file(self, data: bytes, media_type: str) -> str:
        """Save bytes under a new name; return the absolute path."""
        handle, name = tempfile.mkstemp(dir=self._folder, suffix="." + media_type.split("/")[1])
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        return str(Path(name).resolve())


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
