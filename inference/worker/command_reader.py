"""The worker's way in: a thread that reads commands and opens the pictures they name."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from inference.api import jobs, wire
from inference.api.commands import CancelJob, FinishedPart, StopWorker, SubmitJob
from inference.api.errors import JobError, WireError
from inference.api.jobs import Job
from inference.api.log_relay import bind_jobs
from inference.engine.partial_results import PartialResult, PartialResults


@dataclass(frozen=True, eq=False)
class IncomingJob:
    """A job with its pictures open, or the reason why it is none."""

    submit: SubmitJob
    job: Job | None
    images: dict[str, Image.Image]
    error: BaseException | None = None
    partial_results: PartialResults | None = None


IncomingCommand = IncomingJob | CancelJob | StopWorker


class CommandReader:
    """Reads ahead, so that decoding pictures never delays a step."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._items: queue.Queue[IncomingCommand] = queue.Queue()
        self._thread = threading.Thread(target=self._read_commands, name="intake", daemon=True)

    def start_reading(self) -> None:
        """Begin to read."""
        self._thread.start()

    def next_command(self, *, wait: bool) -> IncomingCommand | None:
        """Give the next item; with `wait` there always is one."""
        try:
            return self._items.get(block=wait)
        except queue.Empty:
            return None

    def _read_commands(self) -> None:
        """Read until the end; the end of the pipe is the end of the bot, so of the work."""
        while True:
            try:
                message = wire.read_message(self._stream)
            except WireError:
                message = None
            match message:
                case None:
                    self._items.put(StopWorker())
                    return
                case SubmitJob():
                    with bind_jobs((message.job_id, message.attempt)):
                        self._items.put(_open_job(message))
                case CancelJob() | StopWorker():
                    self._items.put(message)
                case _:
                    continue


def _open_job(submit: SubmitJob) -> IncomingJob:
    """Read the job and its pictures."""
    try:
        job = jobs.decode_job(submit.kind, submit.params)
        job.check_images(submit.inputs)
        images = {name: _load_image(name, Path(path)) for name, path in submit.inputs.items()}
    except Exception as error:
        # Of whatever kind: the thread that reads must live on, or the worker hears nothing more.
        return IncomingJob(submit, None, {}, error)
    return IncomingJob(submit, job, images, partial_results=PartialResults(_open_parts(submit)))


def _open_parts(submit: SubmitJob) -> Iterator[PartialResult]:
    """Open what is finished; a part that cannot be read is done again."""
    for part in submit.parts:
        with contextlib.suppress(JobError):
            yield _open_part(part)


def _open_part(part: FinishedPart) -> PartialResult:
    image = _load_image(f"part {part.number}", Path(part.path))
    return PartialResult(number=part.number, fingerprint=part.mark, image=image)


def _load_image(name: str, path: Path) -> Image.Image:
    try:
        with Image.open(path, formats=("PNG", "WEBP")) as image:
            image.load()
            return image.convert("RGBA" if _has_alpha(image) else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise JobError(name, "image.unreadable", name=name) from (error)


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
