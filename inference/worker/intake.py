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

from inference import jobs, wire
from inference.commands import Cancel, FinishedPart, Stop, Submit
from inference.engine.parts import Part, Parts
from inference.errors import JobError, WireError
from inference.jobs import Job
from inference.journal import about


@dataclass(frozen=True, eq=False)
class Arrival:
    """A job with its pictures open, or the reason why it is none."""

    submit: Submit
    job: Job | None
    pictures: dict[str, Image.Image]
    error: BaseException | None = None
    parts: Parts | None = None


Item = Arrival | Cancel | Stop


class Intake:
    """Reads ahead, so that decoding pictures never delays a step."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._items: queue.Queue[Item] = queue.Queue()
        self._thread = threading.Thread(target=self._read, name="intake", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def take(self, *, wait: bool) -> Item | None:
        """Give the next item; with `wait` there always is one."""
        try:
            return self._items.get(block=wait)
        except queue.Empty:
            return None

    def _read(self) -> None:
        """Read until the end; the end of the pipe is the end of the bot, so of the work."""
        while True:
            try:
                message = wire.read(self._stream)
            except WireError:
                message = None
            match message:
                case None:
                    self._items.put(Stop())
                    return
                case Submit():
                    with about((message.job_id, message.attempt)):
                        self._items.put(_open(message))
                case Cancel() | Stop():
                    self._items.put(message)
                case _:
                    continue


def _open(submit: Submit) -> Arrival:
    """Read the job and its pictures."""
    try:
        job = jobs.decode(submit.kind, submit.params)
        job.check_pictures(submit.inputs)
        pictures = {name: _picture(name, Path(path)) for name, path in submit.inputs.items()}
    except JobError as error:
        return Arrival(submit, None, {}, error)
    return Arrival(submit, job, pictures, parts=Parts(_parts(submit)))


def _parts(submit: Submit) -> Iterator[Part]:
    """Open what is finished; a part that cannot be read is done again."""
    for part in submit.parts:
        with contextlib.suppress(JobError):
            yield _part(part)


def _part(part: FinishedPart) -> Part:
    picture = _picture(f"part {part.number}", Path(part.path))
    return Part(number=part.number, mark=part.mark, picture=picture)


def _picture(name: str, path: Path) -> Image.Image:
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            picture.load()
            return picture.convert("RGBA" if _has_alpha(picture) else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise JobError(name, f"The picture “{name}” cannot be read any more: send it again.") from (
            error
        )


def _has_alpha(picture: Image.Image) -> bool:
    return picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
