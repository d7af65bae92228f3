"""The bot itself: what it is made of comes in by its constructor, what it starts ends with it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import TypeVar

import discord
from discord.ext import commands

from bot.admission import Admission
from bot.answers import EaselTree
from bot.attachments import PictureReader
from bot.commands import COGS
from bot.delivery import Delivery, ProgressBoard, Routes
from bot.desk import Desk
from bot.direct import DirectMessages
from bot.dispatcher import Dispatcher
from bot.gate import Gate
from bot.intake.pool import Intake
from bot.keeper import Keeper
from bot.locales import Translator
from bot.menus import make_menus
from bot.moderation.bench import Bench
from bot.moderation.log import LogChannel
from bot.pictures import PictureLimits
from bot.publishing import Publisher
from bot.replies import Listener
from bot.rulebook import Rulebook
from bot.safety.detector import ChildDetector, Detector
from bot.safety.screen import Screen
from bot.settings import Settings
from bot.shown import DISCORDS_HOSTS
from bot.styles import StyleShelf
from bot.views import BUTTONS, PANEL
from inference.service import Service
from storage.blobs import BlobStore
from storage.guilds import GuildStore
from storage.jobs import JobStore
from storage.moderation import ModerationStore
from storage.usage import UsageStore

log = logging.getLogger(__name__)

STOP_GRACE = 10.0  # seconds for jobs and results under way when the bot is closed

INTENTS = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
"""Nothing privileged: of messages, Discord shows the content only where the bot is mentioned."""

T = TypeVar("T")


class Easel(commands.AutoShardedBot):
    """A Discord bot that takes jobs for the GPU and shows what comes of them."""

    def __init__(
        self,
        *,
        settings: Settings,
        dispatcher: Dispatcher,
        jobs: JobStore,
        blobs: BlobStore,
        service: Service,
        guilds: GuildStore | None = None,
        usage: UsageStore | None = None,
        moderation: ModerationStore | None = None,
        detector: Detector | None = None,
        intake: Intake | None = None,
    ) -> None:
        # Easel never speaks: what voice would need is not missing.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            command_prefix=commands.when_mentioned,  # never used: all commands are slash commands
            help_command=None,
            tree_cls=EaselTree,
            intents=INTENTS,
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
        )
        self.settings = settings
        self.dispatcher = dispatcher
        self.jobs = jobs
        self.service = service
        self.blobs = blobs
        #: What servers and members chose; without it, there is nothing to choose.
        self.guild_store = guilds
        self.picture_hosts = DISCORDS_HOSTS
        bounds = PictureLimits(max_bytes=settings.max_upload_bytes, max_pixels=settings.max_pixels)
        self.reader = PictureReader(intake or Intake(bounds))
        self.direct = DirectMessages(guilds)
        self.delivery = self._announcer()
        gate = self.gate = Gate(jobs, guilds, usage, settings.model)
        self.rulebook = Rulebook(guilds)
        self.moderation_store = moderation
        self.detector = detector or ChildDetector(settings.models_path)
        self.styles = StyleShelf(guilds)
        screen = self._watch()
        self.desk = Desk(
            dispatcher, jobs, blobs, self.reader, self.delivery, service, gate, self.styles, screen
        )
        self.listener = Listener(self)
        dispatcher.announcer = self.delivery
        self.publisher = Publisher(self.tree, settings.dev_guild)
        dispatcher.alarm = Keeper(self).tell
        dispatcher.admission = Admission(self, gate)

    def _announcer(self) -> Delivery:
        """Make what shows results, and writes to those alone who allowed it."""
        routes = Routes(self)
        delivery = Delivery(self.jobs, self.blobs, routes, ProgressBoard(routes))
        delivery.allows_direct = self.direct.allowed
        return delivery

    def _watch(self) -> Screen:
        """Have pictures looked at before they are shown, and reports and cases taken."""
        told, store = LogChannel(self, self.gate), self.moderation_store
        screen = Screen(self, self.gate, self.blobs, self.detector, store, told)
        self.bench = Bench(self.jobs, self.blobs, self.delivery, store, told)
        self.delivery.viewer = screen
        self.delivery.board.may_preview = screen.may_preview
        return screen

    async def idle_wait(self, awaitable: Awaitable[T], *, reason: str) -> T:
        """Await what only the outside world can bring about: a new job, a worker's word, time.

        A seam: whoever runs the bot against a simulated Discord replaces it on the instance, to
        tell these waits from work that is still under way.
        """
        return await awaitable

    async def setup_hook(self) -> None:
        """Add commands and buttons, start the loops, publish the command tree."""
        for cog in COGS:
            await self.add_cog(cog(self))
        for menu in make_menus():
            self.tree.add_command(menu)
        await self.tree.set_translator(Translator())
        self.add_dynamic_items(*BUTTONS, *PANEL)
        self.dispatcher.idle_wait = self.idle_wait
        self.delivery.idle_wait = self.idle_wait
        self.delivery.meter = self.dispatcher.meter
        self.reader.start()
        self.dispatcher.start()
        self.delivery.start()
        await self.publisher.publish()

    async def on_message(self, message: discord.Message, /) -> None:
        """Hear what is said to the bot; there are no commands in messages."""
        await self.listener.heard(message)

    async def on_ready(self) -> None:
        """Say that Discord is connected."""
        name = self.user.name if self.user is not None else "Easel"
        log.info("%s is ready in %d servers.", name, len(self.guilds))

    async def close(self) -> None:
        """Stop taking jobs, let what is under way end, hand the rest back, and disconnect."""
        if not self.is_closed():
            self.publisher.close()
            await self.dispatcher.stop(STOP_GRACE)
            await self.delivery.stop(STOP_GRACE)
            self.reader.close()
            self.detector.close()
        await super().close()
