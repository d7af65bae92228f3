"""`job`: one job without Discord, with the same engine, in a store of its own.

The members' queue is never touched: the job and its pictures lie in a folder beside it, which one
run owns at a time and leaves empty.
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
import sys
import tempfile
import uuid
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.app import Core, build_dispatcher, image_limits, open_core
from bot.cli.arguments import build_job, build_job_like, image_paths, with_model_defaults
from bot.dispatcher.known_checkpoints import WEIGHTS_SUFFIX
from bot.errors import SettingsError, UnreadableFile, UserError
from bot.i18n import translate_notice
from bot.settings import Settings
from bot.uploads.metadata import read_image_generation_info
from bot.uploads.validation import check_image
from inference.api.errors import JobError
from inference.api.infotext.readers import GenerationInfo
from inference.api.jobs import Job
from inference.api.messages import JobProgress, ModelInfo
from storage.errors import StorageError
from storage.records import JobRecord, JobState

EXIT_DONE, EXIT_FAILED, EXIT_REFUSED = 0, 1, 2
#: In the data directory: the store of a run.
STORE_FOLDER = "command-line"
OWNER = "command line"
#: Between two looks at workers that have not come up yet.
POLL_INTERVAL_SECONDS = 0.2  # seconds


class ConsoleListener:
    """Prints what happens to the one job, and keeps its end."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        #: The one job; what is told of another is not its.
        self.job_id: str | None = None
        self.end: asyncio.Future[JobRecord] = asyncio.get_running_loop().create_future()

    def print_event(self, event: str, message: str, **facts: Any) -> None:
        """Print one event, as a JSON line or as words."""
        line = json.dumps({"event": event, **facts}) if self._as_json else message
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def on_progress(self, record: JobRecord, progress: JobProgress) -> None:
        """Print a step."""
        if record.id != self.job_id:
            return
        step, steps = progress.step, progress.steps
        self.print_event("progress", f"{step}/{steps}", job=record.id, step=step, steps=steps)

    def on_job_ended(self, record: JobRecord) -> None:
        """Keep the end."""
        if record.id == self.job_id and not self.end.done():
            self.end.set_result(record)


async def run_job(
    arguments: Mapping[str, Any], settings: Settings, *, out: Path, as_json: bool
) -> int:
    """Do one job and save its pictures; return 0 done, 1 failed, 2 refused."""
    listener = ConsoleListener(as_json=as_json)
    try:
        generation_info = _read_generation_info(arguments.get("like"))
        job = (
            build_job(arguments)
            if generation_info is None
            else build_job_like(arguments, generation_info, ()).job
        )
        images, notes = _read_images(image_paths(arguments), settings)
        job.check_images(images)
        _prepare_folder(out)
    except (JobError, UserError) as error:
        listener.print_event("refused", str(error), reason=str(error))
        return EXIT_REFUSED
    for note in notes:
        listener.print_event("note", note, note=note)
    try:
        # One job has use for one card.
        workers = 0 if settings.workers == 0 else 1
        own_settings = settings.model_copy(update={"metrics_port": None, "workers": workers})
        async with open_core(own_settings, settings.data_dir / STORE_FOLDER) as core:
            for record in await _clear_store(core):
                note = f"An earlier run left {record.kind} {record.id} unfinished: called off."
                listener.print_event("note", note, note=note)
            models = await _wait_for_models(core)
            if generation_info is None:
                name = Path(settings.model).name.removesuffix(WEIGHTS_SUFFIX)
                job = with_model_defaults(job, arguments, models, name)
            else:
                imported_job = build_job_like(arguments, generation_info, models)
                job = imported_job.job
                for note in map(str, imported_job.notes):
                    listener.print_event("note", note, note=note)
            return await _submit_and_wait(core, job, images, listener, out)
    except JobError as error:
        listener.print_event("refused", str(error), reason=str(error))
        return EXIT_REFUSED
    except (StorageError, SettingsError) as error:
        listener.print_event("failed", str(error), reason=str(error))
        return EXIT_FAILED


def _read_generation_info(path: str | None) -> GenerationInfo | None:
    """Read what the picture tells that the job shall be like.

    Raises:
        UserError: it tells nothing.
    """
    if path is None:
        return None
    try:
        generation_info = read_image_generation_info(Path(path).read_bytes())
    except OSError as error:
        raise UnreadableFile(path, error.strerror) from error
    if generation_info is None:
        raise UserError(
            "{path} says nothing about how it was made. Give the options yourself.", path=path
        )
    if generation_info.is_unread:
        raise UserError(
            "{path} holds a {tool} graph that cannot be followed: it has no sampler that is known "
            "here. Give the options yourself.",
            path=path,
            tool=generation_info.tool,
        )
    return generation_info


async def _wait_for_models(core: Core) -> list[ModelInfo]:
    """Wait for the first worker, and list what it can run; nothing where none comes up."""
    while True:
        workers = core.workers.worker_statuses
        if any(worker.ready for worker in workers) or all(worker.trouble for worker in workers):
            return [model for worker in workers for model in worker.models]
        await asyncio.sleep(POLL_INTERVAL_SECONDS)


def _read_images(
    paths: Mapping[str, str], settings: Settings
) -> tuple[dict[str, bytes], list[str]]:
    """Check the pictures as if a member had attached them."""
    limits = image_limits(settings)
    images: dict[str, bytes] = {}
    notes: list[str] = []
    for name, path in paths.items():
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise UnreadableFile(path, error.strerror) from error
        checked_image = check_image(data, Path(path).name, limits)
        images[name] = checked_image.data
        notes.extend(checked_image.notes)
    return images, notes


async def _clear_store(core: Core) -> list[JobRecord]:
    """Delete all that runs have left in their store; return the jobs that had not ended."""
    unfinished_records = await core.jobs.reader.list_outstanding()
    await core.jobs.retention.forget_owner(OWNER)
    await core.blobs.sweep_unreferenced(set(), timedelta(0))
    return unfinished_records


async def _submit_and_wait(
    core: Core, job: Job, images: Mapping[str, bytes], listener: ConsoleListener, out: Path
) -> int:
    dispatcher = build_dispatcher(core)
    submission = await dispatcher.submit_job(
        job=dispatcher.check_job(job, images),
        images=images,
        owner=OWNER,
        guild=None,
        reply_to="",
        idempotency_key=uuid.uuid4().hex,
    )
    record = submission.record
    listener.job_id = record.id
    dispatcher.subscribe(listener)
    listener.print_event(
        "queued", f"queued as {record.id}", job=record.id, params=dict(record.params)
    )
    watch = asyncio.create_task(_wait_for_failed_workers(core), name="watch workers")
    dispatcher.start()
    try:
        awaited_futures: set[asyncio.Future[Any]] = {listener.end, watch}
        await asyncio.wait(awaited_futures, return_when=asyncio.FIRST_COMPLETED)
        if listener.end.done():
            return await _report_end(core, listener, listener.end.result(), out)
        listener.print_event("failed", watch.result(), job=record.id, reason=watch.result())
        return EXIT_FAILED
    finally:
        watch.cancel()
        await dispatcher.cancel_job(record.id, None)
        await dispatcher.stop(0)
        await _clear_store(core)


async def _wait_for_failed_workers(core: Core) -> str:
    """Wait until no worker can start, and say why; a worker that works keeps this waiting."""
    while True:
        workers = core.workers.worker_statuses
        if not workers:
            return "There is no worker: leave EASEL_WORKERS empty, or set it to 1."
        if all(worker.trouble and not worker.ready for worker in workers):
            return f"No worker can start: {workers[0].trouble}"
        await asyncio.sleep(POLL_INTERVAL_SECONDS)


async def _report_end(core: Core, listener: ConsoleListener, record: JobRecord, out: Path) -> int:
    if record.state is not JobState.DONE or record.result is None:
        reason = translate_notice(record.error or f"The job was {record.state}.")
        listener.print_event("failed", reason, job=record.id, reason=reason)
        return EXIT_FAILED
    files = []
    for number, image in enumerate(record.result["pictures"]):
        suffix = mimetypes.guess_extension(image["media_type"]) or ".png"
        path = out / f"{record.kind}-{record.id}-{number}{suffix}"
        _save_image(path, await core.blobs.get(image["key"]))
        files.append({"path": str(path), **{k: v for k, v in image.items() if k != "key"}})
    text, notes = record.result["text"], [*map(translate_notice, record.result["notes"])]
    report_text = "\n".join([*(file["path"] for file in files), *([text] if text else []), *notes])
    listener.print_event(
        "done",
        report_text,
        job=record.id,
        files=files,
        text=text,
        notes=notes,
        seconds=record.result["seconds"],
    )
    return EXIT_DONE


def _prepare_folder(out: Path) -> None:
    """Make the folder for the pictures, before any work is done for them.

    Raises:
        UserError: nothing can be saved there.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise UserError(
            "Nothing can be saved in {path}: {reason}. Name another folder with --out.",
            path=out,
            reason=error.strerror,
        ) from error


def _save_image(path: Path, data: bytes) -> None:
    path.write_bytes(data)
