"""The composition root: everything with a lifetime, opened in one `async with` and closed again."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path

import discord

from bot.client import EaselBot
from bot.delivery import MessageBuilder, MessageSender, ProgressUpdater, ResultDelivery
from bot.delivery.delivery import GIVE_UP_AFTER
from bot.delivery.history_builder import HistoryBuilder
from bot.delivery.message_builder import read_display_limits
from bot.dispatcher import ClaimGuard, Dispatcher, DispatcherTiming, HostAlert
from bot.dispatcher.estimation import CostEstimator
from bot.dispatcher.known_checkpoints import WEIGHTS_SUFFIX, KnownCheckpoints
from bot.errors import MissingExtra
from bot.guilds.editor import GuildSettingsEditor
from bot.guilds.host_access import HostAccess, HostRules
from bot.guilds.member_preferences import MemberSwitches, StyleStore
from bot.guilds.policy import GuildPolicy
from bot.guilds.settings import GuildSettings
from bot.hosting.backups import CHECK_INTERVAL_SECONDS, BackupSchedule
from bot.hosting.reporter import HealthReporter
from bot.hosting.systemd import ServiceNotifier
from bot.member_storage import MemberStorage
from bot.moderation.cases import CaseService
from bot.moderation.log_channel import LogChannel
from bot.moderation.nsfw_process import NsfwDetector, SubprocessDetector
from bot.moderation.nsfw_screen import NsfwScreen
from bot.page.drawing import DrawingDesk
from bot.page.gallery import GalleryDesk
from bot.page.links import PageLinks
from bot.page.server import PageAddress, PageServer
from bot.requests.image_sources import DISCORD_IMAGE_HOSTS
from bot.requests.job_check import JobChecker
from bot.requests.recheck import PermissionRecheck
from bot.retention import MaintenanceLoop, MaintenanceTask, default_tasks
from bot.services import Services
from bot.settings import Settings, id_set, split_list
from bot.submission import JobSubmitter
from bot.support.loops import HEALTH_FILE, LoopHealth
from bot.support.metrics import MetricsSink
from bot.support.owner_alerts import OwnerNotifier
from bot.support.version import install_hint
from bot.uploads.pool import DecoderPool
from bot.uploads.validation import ImageLimits
from bot.views import JobLayouts
from bot.worker_plan import plan_cluster, plan_workers
from inference.api.config import EngineConfig
from inference.api.jobs import LoopbackJob, list_job_options
from inference.api.jobs.base import NumberSpec
from inference.api.jobs.limits import JobLimits
from inference.api.jobs.wordlists import EMBEDDINGS_FOLDER, WordLists
from inference.api.workers import LocalWorkerPool, RemoteWorkerPool, WorkerPool
from storage.blobs import OUTBOX_FOLDER, BlobStore
from storage.database import Database
from storage.disk.permissions import make_private_folder
from storage.error_translation import translate_disk_errors
from storage.guilds import AccessStore, GuildStore, UsageStore
from storage.jobs import JobStore
from storage.moderation import ModerationStore
from storage.records import QueueLimits

log = logging.getLogger(__name__)

#: In the data directory.
DATABASE_FILE, BLOBS_FOLDER = "easel.sqlite3", "blobs"

#: Between two words to a cluster of how much waits.
DEMAND_INTERVAL_SECONDS = 10.0  # seconds


@dataclass(frozen=True)
class Core:
    """What Easel has with Discord or without: its store, its workers, and what measures them."""

    settings: Settings
    database: Database
    jobs: JobStore
    blobs: BlobStore
    workers: WorkerPool
    metrics: MetricsSink
    health: LoopHealth = field(default_factory=LoopHealth)
    #: As the dispatcher has it.
    orphans: Collection[tuple[str, int, str]] | None = None

    @cached_property
    def member_storage(self) -> MemberStorage:
        """What bounds each member's pictures on the disk."""
        return MemberStorage(self.jobs, self.blobs, self.settings.member_storage_bytes)


def open_wordlists(settings: Settings) -> WordLists:
    """Open the host's lists of words; the names of its embeddings are no choices."""
    return WordLists(settings.wordlists_path, settings.models_path / EMBEDDINGS_FOLDER)


def engine_config(settings: Settings, folder: Path | None = None) -> EngineConfig:
    """Make what all workers have in common of the host's settings; `folder` as in `open_core`."""
    data = settings.data_dir
    return EngineConfig(
        model=settings.model,
        models_dir=str(settings.models_path.resolve()),
        wordlists_dir=str(settings.wordlists_path.resolve()),
        cache_dir=str((data / "cache").resolve()),
        outbox=str(((folder or data) / OUTBOX_FOLDER).resolve()),
        dtype=settings.dtype,
        low_memory=settings.low_memory,
        weight_format=settings.weight_format,
        compile=settings.compile == "on",
        non_commercial=settings.non_commercial == "on",
        list_lines=settings.list_lines,
        weights_budget=int(settings.weights_gb * 2**30),
        preview_every=settings.preview_steps,
        threads=settings.threads,
        max_batch=settings.max_batch,
        deterministic=settings.deterministic == "on",
        max_prompt_parts=settings.max_prompt_parts,
    )


@asynccontextmanager
async def open_core(settings: Settings, folder: Path | None = None) -> AsyncIterator[Core]:
    """Open the store, start the workers and the housekeeping; all end with the block.

    Args:
        settings: the host's.
        folder: where the jobs and their pictures lie; by default the data directory.

    Raises:
        StorageError: another process owns the folder, or its database is damaged.
        SettingsError: what the host asked for is not installed or not here, or a port is taken.
    """
    is_bots_own = folder is None
    workers_to_open = await _plan_pool(settings, folder)
    folder = folder or settings.data_dir
    _make_private_folders(folder)
    async with Database(folder / DATABASE_FILE) as database:
        jobs, blobs = JobStore(database), BlobStore(folder / BLOBS_FOLDER)
        orphans = await _recover_jobs(jobs, are_kept=isinstance(workers_to_open, RemoteWorkerPool))
        _empty_outbox(folder / OUTBOX_FOLDER)
        tasks = default_tasks(
            jobs,
            blobs,
            GuildStore(database),
            settings.keep_days,
            max_member_bytes=settings.member_storage_bytes,
        )
        if is_bots_own and settings.backup_hours:
            tasks += (_backup_task(settings, database, blobs),)
        if isinstance(workers_to_open, RemoteWorkerPool):
            tasks += (_demand_task(workers_to_open, jobs),)
        async with (
            workers_to_open as workers,
            MaintenanceLoop(tasks),
            _open_metrics(settings.metrics_port, jobs) as metrics,
        ):
            health = LoopHealth(folder / HEALTH_FILE)
            yield Core(settings, database, jobs, blobs, workers, metrics, health, orphans)


async def _recover_jobs(
    jobs: JobStore, *, are_kept: bool
) -> Collection[tuple[str, int, str]] | None:
    """Take back the jobs that ran; where workers may have gone on with them, list them instead."""
    orphans = await jobs.queue.list_running() if are_kept else ()
    await jobs.queue.recover_jobs({worker for _, _, worker in orphans})
    return orphans if are_kept else None


async def _plan_pool(settings: Settings, folder: Path | None) -> LocalWorkerPool | RemoteWorkerPool:
    """Plan the bot's workers: those of the cluster, where it has one, else this machine's."""
    config, rest_seconds = engine_config(settings, folder), settings.worker_rest_seconds
    if settings.cluster and folder is None:
        if find_spec("ray") is None:
            raise MissingExtra(f"EASEL_CLUSTER needs an extra: {install_hint('cluster')}")
        return RemoteWorkerPool(plan_cluster(settings, config))
    plan = await plan_workers(settings)
    return LocalWorkerPool(tuple(plan.configure_workers(config)), open_seconds=rest_seconds)


def _demand_task(workers: RemoteWorkerPool, jobs: JobStore) -> MaintenanceTask:
    """Make what tells a cluster how much work waits: much of it is worth more workers."""

    async def tell_demand() -> int:
        wait = await jobs.reader.queue_wait()
        ready_count = sum(status.ready for status in workers.worker_statuses)
        await workers.expect_work(wait.work_seconds / max(1, ready_count))
        return 0

    return MaintenanceTask("demand", DEMAND_INTERVAL_SECONDS, tell_demand)


def _backup_task(settings: Settings, database: Database, blobs: BlobStore) -> MaintenanceTask:
    interval = timedelta(hours=settings.backup_hours)
    schedule = BackupSchedule(
        database, blobs, settings.backups_path, interval, settings.backups_kept
    )
    pause = min(CHECK_INTERVAL_SECONDS, interval.total_seconds())
    return MaintenanceTask("backup", pause, schedule.write_if_due)


@asynccontextmanager
async def open_app(
    settings: Settings, notifier: ServiceNotifier | None = None
) -> AsyncIterator[EaselBot]:
    """Open everything and build the bot on it, not yet connected; see `open_core`.

    With a service manager to notify, the bot's health is reported to it and in the data directory.
    """
    async with open_core(settings) as core:
        detector = SubprocessDetector(settings.models_path)
        decoders = DecoderPool(image_limits(settings))
        build = partial(build_services, core, detector=detector, decoders=decoders)
        bot = EaselBot(build, settings.dev_guild)
        async with _open_page(bot.services.page), _open_reporter(core, bot, notifier):
            yield bot


@asynccontextmanager
async def _open_page(page: PageServer | None) -> AsyncIterator[None]:
    """Serve the page while open, if the host wants one.

    Raises:
        SettingsError: it cannot listen where it should.
    """
    if page is None:
        yield
        return
    await page.start()
    try:
        yield
    finally:
        await page.stop()


def _open_reporter(
    core: Core, bot: EaselBot, notifier: ServiceNotifier | None
) -> AbstractAsyncContextManager[object]:
    if notifier is None:
        return nullcontext()
    return HealthReporter(
        bot, core.settings.data_dir, core.jobs, core.workers, core.health, core.metrics, notifier
    )


def build_dispatcher(
    core: Core,
    claim_guard: ClaimGuard | None = None,
    host_alert: HostAlert = log.error,
    timing: DispatcherTiming = DispatcherTiming(),  # noqa: B008 - frozen
) -> Dispatcher:
    """Build what moves jobs between the store and the workers."""
    settings = core.settings
    return Dispatcher(
        core.jobs,
        core.blobs,
        core.workers,
        limits=queue_limits(settings),
        lease=timedelta(seconds=settings.lease_seconds),
        wordlists=open_wordlists(settings),
        job_limits=JobLimits(settings.max_prompt_parts, settings.max_job_pictures),
        claim_guard=claim_guard,
        host_alert=host_alert,
        metrics=core.metrics,
        health=core.health,
        timing=timing,
        display_limits=read_display_limits,
        orphans=core.orphans,
    )


def open_policy(core: Core, guilds: GuildStore) -> GuildPolicy:
    """Build what says what host and server allow, with what prompts may draw from."""
    settings, usage = core.settings, UsageStore(core.database)
    access = HostAccess(AccessStore(core.database), host_rules(settings))
    lists = open_wordlists(settings)
    model_frame = CostEstimator(core.blobs, core.workers).model_frame
    model_name = Path(settings.model).name.removesuffix(WEIGHTS_SUFFIX)
    checkpoints = KnownCheckpoints(core.workers, model_name)
    return GuildPolicy(
        core.jobs,
        guilds,
        usage,
        access,
        settings.model,
        lists,
        model_frame,
        checkpoints.model_defaults,
        checkpoints.can_caption,
    )


def build_services(
    core: Core,
    client: discord.Client,
    *,
    detector: NsfwDetector,
    decoders: DecoderPool,
    image_hosts: tuple[str, ...] = DISCORD_IMAGE_HOSTS,
    timing: DispatcherTiming = DispatcherTiming(),  # noqa: B008 - frozen
    clock: Callable[[], float] = time.monotonic,
    give_up_after: timedelta = GIVE_UP_AFTER,
) -> Services:
    """Build what a client serves its members with; what may be replaced has its own argument."""
    settings, jobs, blobs, workers = core.settings, core.jobs, core.blobs, core.workers
    guild_store, moderation_store = GuildStore(core.database), ModerationStore(core.database)
    policy, styles = open_policy(core, guild_store), StyleStore(guild_store)
    dispatcher = build_dispatcher(core, *_build_guards(client, policy), timing)
    log_channel, member_switches = LogChannel(client, policy), MemberSwitches(guild_store)
    screen = NsfwScreen(client, policy, blobs, detector, moderation_store, log_channel)
    layouts = JobLayouts(workers, has_page=settings.page_url is not None)
    builder, sender = MessageBuilder(jobs, blobs, screen, layouts), MessageSender(client)
    progress = ProgressUpdater(sender, screen, layouts, blobs.outbox.read_file, clock)
    ways = (sender, progress, layouts, member_switches.is_dm_allowed)
    delivery = ResultDelivery(jobs, builder, *ways, core.metrics, give_up_after, core.health)
    dispatcher.subscribe(delivery)
    intake = (dispatcher, jobs, blobs, decoders, delivery, workers, policy, styles, screen)
    submitter = JobSubmitter(*intake, *_build_checkers(core))
    return Services(
        jobs=jobs,
        blobs=blobs,
        guild_store=guild_store,
        moderation_store=moderation_store,
        workers=workers,
        policy=policy,
        settings_editor=GuildSettingsEditor(guild_store, host_limits(settings)),
        styles=styles,
        member_switches=member_switches,
        dispatcher=dispatcher,
        message_builder=builder,
        history=HistoryBuilder(jobs, blobs, screen),
        delivery=delivery,
        submitter=submitter,
        layouts=layouts,
        cases=CaseService(jobs, blobs, delivery, moderation_store, log_channel),
        decoders=decoders,
        detector=detector,
        image_hosts=image_hosts,
        keep_days=settings.keep_days,
        has_nodes=bool(settings.cluster),
        page=_build_page(core, client, decoders, policy, submitter, screen),
    )


def _build_checkers(core: Core) -> tuple[MemberStorage, JobChecker]:
    """Build what bounds a member's pictures, and what checks a job by what the workers have."""
    return core.member_storage, JobChecker(core.workers, core.settings.models_path)


def _build_guards(client: discord.Client, policy: GuildPolicy) -> tuple[ClaimGuard, HostAlert]:
    """Build what looks at a job once more at its turn, and what tells the host's owners."""
    return PermissionRecheck(client, policy), OwnerNotifier(client).notify_owners


def _build_page(
    core: Core,
    client: discord.Client,
    decoders: DecoderPool,
    policy: GuildPolicy,
    submitter: JobSubmitter,
    screen: NsfwScreen,
) -> PageServer | None:
    """Build the page to draw on, not yet started; None where the host names no address for it."""
    settings = core.settings
    if settings.page_url is None:
        return None
    links, model_frame = PageLinks(), CostEstimator(core.blobs, core.workers).model_frame
    desk = DrawingDesk(
        links, client, core.jobs, core.blobs, decoders, policy, submitter, model_frame
    )
    address = PageAddress(settings.page_url, settings.page_address, settings.page_port)
    gallery = GalleryDesk(core.jobs, core.blobs, screen)
    return PageServer(client, address, links, desk, gallery)


@asynccontextmanager
async def _open_metrics(port: int | None, jobs: JobStore) -> AsyncIterator[MetricsSink]:
    """Measure while open, if the host asked for it.

    Raises:
        MissingExtra: the library for it is not installed.
    """
    if port is None:
        yield MetricsSink()
        return
    try:
        from bot.support.prometheus import serve_metrics
    except ImportError as error:
        raise MissingExtra(
            f"EASEL_METRICS_PORT needs an extra: {install_hint('metrics')}"
        ) from error
    async with serve_metrics(port, jobs) as metrics:
        yield metrics


def queue_limits(settings: Settings) -> QueueLimits:
    """Read the queue's bounds off the settings."""
    return QueueLimits(
        per_owner=settings.max_queued_per_member,
        per_guild=settings.max_queued_per_server,
        total=settings.max_queued_total,
    )


def host_limits(settings: Settings) -> Mapping[str, float]:
    """Say what holds where a server sets no ceiling of its own, by the ceiling's name."""
    bounds = {
        option.name: option.spec.high
        for option in list_job_options(LoopbackJob)
        if isinstance(option.spec, NumberSpec)
    }
    return {
        "max_steps": bounds["steps"],
        "max_loops": bounds["loops"],
        "max_batch": settings.max_batch,
        "max_megapixels": settings.max_pixels / 1e6,
        "max_jobs": settings.max_queued_per_member,
        "max_server_jobs": settings.max_queued_per_server,
        **({"keep_days": settings.keep_days} if settings.keep_days else {}),
    }


def host_rules(settings: Settings) -> HostRules:
    """Read off the settings whom the host serves, and what holds in direct messages."""
    return HostRules(
        listed_ids={
            ("member", "allow"): id_set(settings.allowed_members),
            ("member", "block"): id_set(settings.blocked_members),
            ("server", "allow"): id_set(settings.allowed_servers),
            ("server", "block"): id_set(settings.blocked_servers),
        },
        allows_direct=settings.direct_messages == "on",
        direct_members=id_set(settings.direct_message_members),
        direct_settings=GuildSettings(
            banned_words=split_list(settings.direct_message_words),
            nsfw_ordinary=settings.direct_message_nsfw,
        ),
    )


def image_limits(settings: Settings) -> ImageLimits:
    """Read the bounds of attachments off the settings."""
    return ImageLimits(max_bytes=settings.max_upload_bytes, max_pixels=settings.max_pixels)


def _make_private_folders(root: Path) -> None:
    """Make what members' words and pictures are kept in; nobody else on the machine may look in.

    Raises:
        StorageError: the disk is full or read-only.
    """
    with translate_disk_errors():
        for folder in (root, root / BLOBS_FOLDER, root / OUTBOX_FOLDER):
            make_private_folder(folder)


def _empty_outbox(outbox: Path) -> None:
    """Remove what a worker of an earlier life left: nobody will come for it."""
    for path in outbox.glob("tmp*"):
        path.unlink(missing_ok=True)
