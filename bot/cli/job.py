"""`job`: one job without Discord, through the same store, service and worker."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.cli.arguments import build, picture_paths, recall_like
from bot.errors import UnreadableFile, UserError
from bot.house import House, opened
from bot.metadata import read_making
from bot.pictures import PictureLimits, check_picture
from bot.settings import Settings
from inference.errors import JobError
from inference.events import ModelInfo, Progress
from inference.infotext.told import Told
from inference.jobs import Job
from storage.errors import StorageError
from storage.records import JobRecord, JobState

DONE, FAILED, REFUSED = 0, 1, 2
#: Between two looks at workers that have not come up yet.
POLL = 0.2  # seconds


class Teller:
    """Prints what happens to the one job, and keeps its end."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self.end: asyncio.Future[JobRecord] = asyncio.get_running_loop().create_future()

    def say(self, event: str, words: str, **facts: Any) -> None:
        """Print one event, as a JSON line or as words."""
        line = json.dumps({"event": event, **facts}) if self._as_json else words
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def progressed(self, record: JobRecord, progress: Progress) -> None:
        """Print a step."""
        step, steps = progress.step, progress.steps
        self.say("progress", f"{step}/{steps}", job=record.id, step=step, steps=steps)

    def settled(self, record: JobRecord) -> None:
        """Keep the end."""
        if not self.end.done():
            self.end.set_result(record)


async def run_job(
    arguments: Mapping[str, Any], settings: Settings, *, out: Path, as_json: bool
) -> int:
    """Do one job and save its pictures; return 0 done, 1 failed, 2 refused."""
    teller = Teller(as_json=as_json)
    try:
        told = _told(arguments.get("like"))
        job = build(arguments) if told is None else recall_like(arguments, told, ()).job
        pictures, notes = _read(picture_paths(arguments), settings)
        job.check_pictures(pictures)
    except (JobError, UserError) as error:
        teller.say("refused", str(error), reason=str(error))
        return REFUSED
    for note in notes:
        teller.say("note", note, note=note)
    try:
        async with opened(settings) as house:
            if told is not None:
                recalled = recall_like(arguments, told, await _models(house))
                job = recalled.job
                for note in recalled.notes:
                    teller.say("note", note, note=note)
            return await _work(house, job, pictures, teller, out)
    except JobError as error:
        teller.say("refused", str(error), reason=str(error))
        return REFUSED
    except StorageError as error:
        teller.say("failed", str(error), reason=str(error))
        return FAILED


def _told(path: str | None) -> Told | None:
    """Read what the picture tells that the job shall be like.

    Raises:
        UserError: it tells nothing.
    """
    if path is None:
        return None
    try:
        told = read_making(Path(path).read_bytes())
    except OSError as error:
        raise UnreadableFile(path, error.strerror) from error
    if told is None:
        raise UserError(
            "{path} says nothing about how it was made. Give the options yourself.", path=path
        )
    return told


async def _models(house: House) -> list[ModelInfo]:
    """Wait for the first worker, and list what it can run; nothing where none comes up."""
    while True:
        workers = house.service.workers
        if any(worker.ready for worker in workers) or all(worker.trouble for worker in workers):
            return [model for worker in workers for model in worker.models]
        await asyncio.sleep(POLL)


def _read(paths: Mapping[str, str], settings: Settings) -> tuple[dict[str, bytes], list[str]]:
    """Check the pictures as if a member had attached them."""
    limits = PictureLimits(max_bytes=settings.max_upload_bytes, max_pixels=settings.max_pixels)
    pictures: dict[str, bytes] = {}
    notes: list[str] = []
    for name, path in paths.items():
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise UnreadableFile(path, error.strerror) from error
        checked = check_picture(data, Path(path).name, limits)
        pictures[name] = checked.data
        notes.extend(checked.notes)
    return pictures, notes


async def _work(
    house: House, job: Job, pictures: Mapping[str, bytes], teller: Teller, out: Path
) -> int:
    dispatcher = house.dispatcher
    dispatcher.announcer = teller
    dispatcher.start()
    submission = await dispatcher.submit(
        job=job,
        pictures=pictures,
        owner="command line",
        guild=None,
        reply_to="",
        idempotency_key=uuid.uuid4().hex,
    )
    record = submission.record
    teller.say("queued", f"queued as {record.id}", job=record.id, params=dict(record.params))
    watch = asyncio.create_task(_watch(house), name="watch workers")
    first: set[asyncio.Future[Any]] = {teller.end, watch}
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    if not teller.end.done():
        await dispatcher.cancel(record.id, None)
        await dispatcher.stop(0)
        teller.say("failed", watch.result(), job=record.id, reason=watch.result())
        return FAILED
    watch.cancel()
    await dispatcher.stop(0)
    return await _tell_end(house, teller, teller.end.result(), out)


async def _watch(house: House) -> str:
    """Wait until no worker can start, and say why; a worker that works keeps this waiting."""
    while True:
        workers = house.service.workers
        if not workers:
            return "There is no worker: set EASEL_WORKERS to 1 or more."
        if all(worker.trouble and not worker.ready for worker in workers):
            return f"No worker can start: {workers[0].trouble}"
        await asyncio.sleep(POLL)


async def _tell_end(house: House, teller: Teller, record: JobRecord, out: Path) -> int:
    if record.state is not JobState.DONE or record.result is None:
        reason = record.error or f"The job was {record.state}."
        teller.say("failed", reason, job=record.id, reason=reason)
        return FAILED
    files = []
    for number, picture in enumerate(record.result["pictures"]):
        suffix = mimetypes.guess_extension(picture["media_type"]) or ".png"
        path = out / f"{record.kind}-{record.id}-{number}{suffix}"
        _save(path, await house.blobs.get(picture["key"]))
        files.append({"path": str(path), **{k: v for k, v in picture.items() if k != "key"}})
    text, notes = record.result["text"], record.result["notes"]
    words = "\n".join([*(file["path"] for file in files), *([text] if text else []), *notes])
    teller.say(
        "done",
        words,
        job=record.id,
        files=files,
        text=text,
        notes=notes,
        seconds=record.result["seconds"],
    )
    return DONE


def _save(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
