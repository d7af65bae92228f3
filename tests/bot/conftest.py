from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.app import Core, build_services
from bot.client import EaselBot
from bot.dispatcher import DispatcherTiming
from bot.i18n import command_mentions
from bot.i18n.command_mentions import set_command_ids
from bot.messages.error_replies import USER_FACING_ERRORS, unwrap_error
from bot.requests.image_sources import DISCORD_IMAGE_HOSTS
from bot.services import Services
from bot.settings import Settings
from bot.support.metrics import MetricsSink
from bot.uploads.validation import ImageLimits
from inference.api.jobs import JOB_TYPES
from inference.api.messages import WorkerReady
from inference.api.workers.protocol import WorkerStatus
from storage.blobs import BlobStore
from storage.database import Database
from storage.guilds import GuildStore, UsageStore
from storage.jobs import JobStore
from storage.moderation import ModerationStore
from storage.records import JobRecord
from tests.doubles.cards import words_of
from tests.doubles.detector import ScriptedDetector
from tests.doubles.environment import Environment
from tests.doubles.images import png
from tests.doubles.intake import LentIntake
from tests.doubles.scenarios import (  # noqa: F401 - fixtures and a hook for every scenario
    discord_schema,
    hold_the_schema,
    pytest_collection_modifyitems,
    recorder,
)
from tests.doubles.service import ScriptedService
from tests.storage.factories import quick_folder

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
TEXT_NUMBERS = ("seed", "variation_seed", "seed_delta")  # which Discord's integers cannot hold
COMMANDS = {"preview": "mask preview"}  # kinds whose command has another name


class BotService(ScriptedService):
    """A scripted worker that can also be in trouble."""

    trouble = ""
    is_resting = False

    @property
    def worker_statuses(self) -> tuple[WorkerStatus, ...]:
        if self.trouble:
            return (
                WorkerStatus(
                    name="broken-1",
                    ready=False,
                    held=0,
                    capacity=0,
                    trouble=self.trouble,
                    is_resting=self.is_resting,
                ),
            )
        return super().worker_statuses


class SimulatedEasel:
    """A bot against a simulated Discord, with real storage and a scripted worker."""

    def __init__(self, database: Database, root: Path, intake: LentIntake, **choices: Any) -> None:
        self.settings = Settings(
            _env_file=None,
            data_dir=root,
            max_upload_mb=1,
            max_pixels=1_000_000,
            max_queued_per_member=3,
            max_queued_per_server=5,
            max_queued_total=6,
            lease_seconds=3600,
        ).model_copy(update=choices)
        self.intake = intake
        self.jobs = JobStore(database)
        self.guilds = GuildStore(database)
        self.usage = UsageStore(database)
        self.moderation = ModerationStore(database)
        self.detector = ScriptedDetector()
        self.blobs = BlobStore(root / "blobs")
        self.service = BotService(root / "outbox")
        self.core = Core(
            self.settings, database, self.jobs, self.blobs, self.service, MetricsSink()
        )
        #: The numbers that the simulated Discord gave the commands.
        self.command_ids: dict[str, int] = {}
        #: What else the services are built with.
        self.options: dict[str, Any] = {}
        self.bot = self.build()
        self.env = Environment(self.bot, shard_count=1, check_errors=False, settle_timeout=60.0)
        self.adopt(self.bot)
        self.expected: list[BaseException] = []

    @property
    def services(self) -> Services:
        return self.bot.services

    def build(self) -> EaselBot:
        build = partial(
            build_services,
            self.core,
            detector=self.detector,
            decoders=self.intake,
            image_hosts=(*DISCORD_IMAGE_HOSTS, "simcord.invalid"),
            # A quarter of an hour of simulated time holds 180 sweeps, which no test here is about.
            timing=DispatcherTiming(sweep_seconds=3600.0),
            clock=lambda: (self.env.now() - EPOCH).total_seconds(),
            **self.options,
        )
        return EaselBot(build, self.settings.dev_guild)

    def adopt(self, bot: EaselBot) -> None:
        self.bot = bot
        bot.idle_wait = self.env.external_wait  # type: ignore[method-assign]

    def populate(self) -> None:
        self.guild = self.env.create_guild()
        self.channel = self.guild.create_text_channel("easel")
        #: The members outside the server, as they write direct messages.
        self.users = {name: self.env.create_user(name) for name in ("alice", "bob")}
        self.alice, self.bob = map(self.guild.add_member, self.users.values())

    async def restart(self) -> None:
        """End the bot's process as a crash would, and start another one on the same storage."""
        bot = self.build()
        self.adopt(bot)
        await self.env.restart_bot(bot)
        set_command_ids({})

    async def ask(self, command: str = "img2img", member: Any = None, **options: Any) -> Any:
        if JOB_TYPES[command].required_images:
            options.setdefault("image", ("photo.png", png()))
        return await self.ask_plain(COMMANDS.get(command, command), member, **options)

    async def ask_plain(self, command: str, member: Any = None, **options: Any) -> Any:
        written = {name: str(options[name]) for name in TEXT_NUMBERS if name in options}
        return await (member or self.alice).slash(self.channel, command, **options | written)

    async def menu(self, name: str, message: Any, member: Any = None) -> Any:
        return await (member or self.alice).context_menu(self.channel, name, message)

    async def posted(self, *files: tuple[str, bytes], member: Any = None) -> Any:
        """A message of a member with files, which the bot has nothing to do with."""
        return await (member or self.bob).send(self.channel, "look", attachments=files)

    def close_channel(self, code: int = 50013) -> None:
        """Let neither the answer nor a message of the bot's own get through."""
        self.env.inject_error("PATCH", "/webhooks/*", status=404, code=10015, times=None)
        self.env.inject_error("*", "/channels/*", status=403, code=code, times=None)

    def open_channel(self) -> None:
        self.env.backend.faults.clear()

    async def take_up_work(self) -> None:
        """A worker comes."""
        self.service.ready = True
        self.service.send_event(WorkerReady(device="cpu", dtype="float32", models=()))
        await self.env.settle()

    async def finish(self, **how: Any) -> None:
        self.service.finish(**how)
        await self.env.settle()

    async def only_job(self, member: Any = None) -> JobRecord:
        (record,) = await self.jobs.reader.list_by_owner(str((member or self.alice).id))
        return record

    async def count(self) -> int:
        return sum((await self.jobs.reader.count_by_state()).values())

    def take_errors(self) -> list[BaseException]:
        """The errors that a test expected; they no longer fail it."""
        taken = [unwrap_error(error) for error in self.env.errors]
        self.expected += taken
        return taken

    def messages(self) -> list[Any]:
        """The channel's messages; their content is what a member reads, on cards as well."""
        history = self.channel.history()
        for message in history:
            message.content = words_of(message.content, message.components)
        return history


@pytest.fixture(scope="session")
def intake() -> Iterator[LentIntake]:
    """Decoders under the bounds of every easel."""
    intake = LentIntake(ImageLimits(max_bytes=2**20, max_pixels=1_000_000))
    yield intake
    intake.really_close()


@pytest.fixture(scope="session")
def blank_database() -> Iterator[bytes]:
    """A database with its schema and nothing in it: migrating anew for each easel takes longer."""

    async def migrated(path: Path) -> None:
        async with Database(path):
            pass

    with quick_folder() as folder:
        asyncio.run(migrated(folder / "easel.db"))
        yield (folder / "easel.db").read_bytes()


@pytest_asyncio.fixture
async def easel(intake: LentIntake, blank_database: bytes) -> AsyncIterator[SimulatedEasel]:
    with quick_folder() as folder:
        (folder / "easel.db").write_bytes(blank_database)
        async with (
            Database(folder / "easel.db") as database,
            _running(SimulatedEasel(database, folder, intake)) as easel,
        ):
            yield easel


@pytest_asyncio.fixture
async def easel_with_page(
    intake: LentIntake, blank_database: bytes
) -> AsyncIterator[SimulatedEasel]:
    """An easel whose page really listens, on this machine."""
    with quick_folder() as folder:
        (folder / "easel.db").write_bytes(blank_database)
        async with Database(folder / "easel.db") as database:
            address = {"page_url": "http://127.0.0.1", "page_port": 0}
            easel = SimulatedEasel(database, folder, intake, **address)
            page = easel.services.page
            assert page is not None
            page.request_scope = easel.env.time_context
            await page.start()
            try:
                async with _running(easel):
                    yield easel
            finally:
                await page.stop()


@asynccontextmanager
async def _running(easel: SimulatedEasel) -> AsyncIterator[SimulatedEasel]:
    await easel.env.start()
    # Scenarios compare words, which hold the commands' names while no numbers are known.
    easel.command_ids = dict(command_mentions.command_ids)
    set_command_ids({})
    easel.populate()
    try:
        yield easel
    finally:
        await easel.env.shutdown()
        easel.services.decoders.close()
    errors = [unwrap_error(error) for error in easel.env.errors]
    unexpected = [
        e for e in errors if not isinstance(e, USER_FACING_ERRORS) and e not in easel.expected
    ]
    assert unexpected == []
