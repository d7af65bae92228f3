"""The composition root: everything with a lifetime, opened in one `async with` and closed again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bot.dispatcher import Dispatcher
from bot.errors import SettingsError
from bot.retention import MaintenanceLoop, default_tasks
from bot.settings import Settings
from inference.api.config import EngineConfig
from inference.api.jobs.wordlists import WordLists
from inference.api.workers import LocalWorkerPool
from storage.blobs import BlobStore
from storage.database import Database
from storage.guilds import GuildStore
from storage.jobs import JobStore
from storage.records import QueueLimits

#: In the data directory.
DATABASE_FILE, BLOBS_FOLDER = "easel.sqlite3", "blobs"


@dataclass(frozen=True)
class App:
    """What a running Easel consists of, Discord aside."""

    database: Database
    jobs: JobStore
    blobs: BlobStore
    service: LocalWorkerPool
    dispatcher: Dispatcher


def engine_config(settings: Settings) -> EngineConfig:
    """Make a worker's configuration of the host's settings."""
    data = settings.data_dir
    return EngineConfig(
        model=settings.model,
        models_dir=str(settings.models_path.resolve()),
        wordlists_dir=str(settings.wordlists_path.resolve()),
        cache_dir=str((data / "cache").resolve()),
        outbox=str((data / "outbox").resolve()),
        device=settings.device,
        dtype=settings.dtype,
        low_memory=settings.low_memory,
        compile=settings.compile == "on",
        list_lines=settings.list_lines,
        weights_budget=int(settings.weights_gb * 2**30),
        preview_every=settings.preview_steps,
    )


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[App]:
    """Open the store and start the workers; both end with the block.

    Raises:
        StorageError: another process owns the data directory, or its database is damaged.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    configs = (engine_config(settings),) * settings.workers
    async with Database(settings.data_dir / DATABASE_FILE) as database:
        jobs = JobStore(database)
        await jobs.recover_jobs()
        _empty_outbox(settings.data_dir / "outbox")
        async with LocalWorkerPool(configs, open_seconds=settings.worker_rest_seconds) as service:
            blobs = BlobStore(settings.data_dir / BLOBS_FOLDER)
            dispatcher = Dispatcher(
                jobs, blobs, service, limits=queue_limits(settings), lease=lease_duration(settings)
            )
            maintenance_tasks = default_tasks(jobs, blobs, GuildStore(database), settings.keep_days)
            dispatcher.lists = WordLists(settings.wordlists_path)
            async with (
                MaintenanceLoop(maintenance_tasks, dispatcher),
                _collect_metrics(settings, dispatcher, jobs),
            ):
                yield App(database, jobs, blobs, service, dispatcher)


@asynccontextmanager
async def _collect_metrics(
    settings: Settings, dispatcher: Dispatcher, jobs: JobStore
) -> AsyncIterator[None]:
    """Measure while open, if the host asked for it.

    Raises:
        SettingsError: the library for it is not installed.
    """
    if settings.metrics_port is None:
        yield
        return
    try:
        from bot.support.prometheus import serve_metrics
    except ImportError as error:
        raise SettingsError(
            "EASEL_METRICS_PORT needs an extra: pip install -e '.[metrics]'"
        ) from error
    async with serve_metrics(settings.metrics_port, jobs) as meter:
        dispatcher.metrics = meter
        yield


def queue_limits(settings: Settings) -> QueueLimits:
    """Read the queue's bounds off the settings."""
    return QueueLimits(
        per_owner=settings.max_queued_per_member,
        per_guild=settings.max_queued_per_server,
        total=settings.max_queued_total,
    )


def lease_duration(settings: Settings) -> timedelta:
    """Read off the settings how long a job may go without a step."""
    return timedelta(seconds=settings.lease_seconds)


def _empty_outbox(outbox: Path) -> None:
    """Remove what a worker of an earlier life left: nobody will come for it."""
    for path in outbox.glob("tmp*"):
        path.unlink(missing_ok=True)
