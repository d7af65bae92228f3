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
from pathlib import Path

from inference.engine.parts import Part
from inference.engine.task import Run
from inference.engine.work import Made, Outcome
from inference.events import Failed, Finished, PartFinished, Picture
from inference.pictures.metadata import save_png
from inference.worker.faults import failed

log = logging.getLogger(__name__)


class Outbox:
    """Writes outcomes to files and tells of them."""

    def __init__(
        self, folder: Path, tell: Callable[[Finished | Failed | PartFinished], None]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._tell = tell
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbox")

    def put(self, run: Run, outcome: Outcome, seconds: float) -> None:
        """Save an outcome's pictures and send the event that names them."""
        self._pool.submit(copy_context().run, self._save, run, outcome, seconds)

    def keep(self, run: Run, part: Part) -> None:
        """Save a finished part and send the event that names it."""
        self._pool.submit(copy_context().run, self._keep, run, part)

    def close(self) -> None:
        """Wait for everything to be told."""
        self._pool.shutdown(wait=True)

    def _save(self, run: Run, outcome: Outcome, seconds: float) -> None:
        try:
            pictures = tuple(self._write(made) for made in outcome.pictures)
            seams = tuple(self._write(made) for made in outcome.seams)
        except Exception as error:
            log.exception("Job %s: its pictures could not be saved.", run.job_id)
            self._tell(failed(run.job_id, run.attempt, error))
            return
        self._tell(
            Finished(
                job_id=run.job_id,
                attempt=run.attempt,
                pictures=pictures,
                text=outcome.text,
                notes=outcome.notes,
                seams=seams,
                seconds=seconds,
                charged=run.charged,
                flops=run.flops,
            )
        )

    def _keep(self, run: Run, part: Part) -> None:
        try:
            picture = self._write(Made(picture=part.picture, role="part"))
        except Exception:
            # Nothing is lost by it but the time to do it again, should this attempt fail.
            log.exception("Job %s: a part could not be saved.", run.job_id)
            return
        self._tell(
            PartFinished(
                job_id=run.job_id,
                attempt=run.attempt,
                part=part.number,
                mark=part.mark,
                picture=picture,
            )
        )

    def _write(self, made: Made) -> Picture:
        data, media_type = made.encoded or (save_png(made.picture, made.infotext), "image/png")
        handle, name = tempfile.mkstemp(dir=self._folder, suffix="." + media_type.split("/")[1])
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        return Picture(
            path=str(Path(name).resolve()),
            width=made.picture.width,
            height=made.picture.height,
            media_type=media_type,
            role=made.role,
            seed=made.seed,
            infotext=made.infotext,
        )
