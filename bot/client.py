"""The bot itself: what it is made of comes in by its constructor, what it starts ends with it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import TypeVar

import discord
from discord.ext import commands

from bot.command_sync import CommandSync
from bot.commands import COG_CLASSES
from bot.commands.context_menus import make_menus
from bot.commands.mentions import MentionHandler
from bot.delivery import MessageSender, ProgressUpdater, ResultDelivery
from bot.dispatcher import Dispatcher
from bot.guilds.dm_preferences import DmPreferences
from bot.guilds.editor import GuildSettingsEditor
from bot.guilds.member_preferences import StyleStore
from bot.guilds.policy import GuildPolicy
from bot.i18n.discord_translator import CommandTranslator
from bot.messages.error_replies import EaselTree
from bot.moderation.cases import CaseService
from bot.moderation.log_channel import LogChannel
from bot.moderation.nsfw_process import NsfwDetector, SubprocessDetector
from bot.moderation.nsfw_screen import NsfwScreen
from bot.owner_alerts import OwnerNotifier
from bot.requests.recheck import PermissionRecheck
from bot.requests.shown_images import DISCORD_IMAGE_HOSTS
from bot.settings import Settings
from bot.submission import JobSubmitter
from bot.uploads.pool import DecoderPool
from bot.uploads.reader import AttachmentReader
from bot.uploads.validation import ImageLimits
from bot.views import PANEL_ITEMS, PERSISTENT_BUTTONS
from inference.api.workers import WorkerPool
from storage.blobs import BlobStore
from storage.guilds import GuildStore
from storage.jobs import JobStore
from storage.moderation import ModerationStore
from storage.usage import UsageStore

log = logging.getLogger(__name__)

STOP_GRACE_SECONDS = 10.0  # seconds for jobs and results under way when the bot is closed

GATEWAY_INTENTS = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
"""Nothing privileged: of messages, Discord shows the content only where the bot is mentioned."""

T = TypeVar("T")


class EaselBot(commands.AutoShardedBot):
    """A Discord bot that takes jobs for the GPU and shows what comes of them."""

    def __init__(
        self,
        *,
        settings: Settings,
        dispatcher: Dispatcher,
        jobs: JobStore,
        blobs: BlobStore,
        service: WorkerPool,
        guilds: GuildStore | None = None,
        usage: UsageStore | None = None,
        moderation: ModerationStore | None = None,
        detector: NsfwDetector | None = None,
        intake: DecoderPool | None = None,
    ) -> None:
        # Easel never speaks: what voice would need is not missing.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            command_prefix=commands.when_mentioned,  # never used: all commands are slash commands
            help_command=None,
            tree_cls=EaselTree,
            intents=GATEWAY_INTENTS,
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
        self.image_hosts = DISCORD_IMAGE_HOSTS
        bounds = ImageLimits(max_bytes=settings.max_upload_bytes, max_pixels=settings.max_pixels)
        self.reader = AttachmentReader(intake or DecoderPool(bounds))
        self.direct = DmPreferences(guilds)
        self.delivery = self._build_delivery()
        gate = self.gate = GuildPolicy(jobs, guilds, usage, settings.model)
        self.rulebook = GuildSettingsEditor(guilds)
        self.moderation_store = moderation
        self.detector = detector or SubprocessDetector(settings.models_path)
        self.styles = StyleStore(guilds)
        screen = self._build_moderation()
        self.desk = JobSubmitter(
            dispatcher, jobs, blobs, self.reader, self.delivery, service, gate, self.styles, screen
        )
        self.listener = MentionHandler(self)
        dispatcher.job_listener = self.delivery
        self.publisher = CommandSync(self.tree, settings.dev_guild)
        dispatcher.host_alert = OwnerNotifier(self).notify_owners
        dispatcher.claim_guard = PermissionRecheck(self, gate)

    def _build_delivery(self) -> ResultDelivery:
        """Make what shows results, and writes to those alone who allowed it."""
        routes = MessageSender(self)
        delivery = ResultDelivery(self.jobs, self.blobs, routes, ProgressUpdater(routes))
        delivery.allows_direct = self.direct.is_dm_allowed
        return delivery

    def _build_moderation(self) -> NsfwScreen:
        """Have pictures looked at before they are shown, and reports and cases taken."""
        log_channel, store = LogChannel(self, self.gate), self.moderation_store
        screen = NsfwScreen(self, self.gate, self.blobs, self.detector, store, log_channel)
        self.bench = CaseService(self.jobs, self.blobs, self.delivery, store, log_channel)
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
        for cog in COG_CLASSES:
            await self.add_cog(cog(self))
        for menu in make_menus():
            self.tree.add_command(menu)
        await self.tree.set_translator(CommandTranslator())
        self.add_dynamic_items(*PERSISTENT_BUTTONS, *PANEL_ITEMS)
        self.dispatcher.idle_wait = self.idle_wait
        self.delivery.idle_wait = self.idle_wait
        self.delivery.meter = self.dispatcher.metrics
        self.reader.start()
        self.dispatcher.start()
        self.delivery.start()
        await self.publisher.sync_commands()

    async def on_message(self, message: discord.Message, /) -> None:
        """Hear what is said to the bot; there are no commands in messages."""
        await self.listener.handle_message(message)

    async def on_ready(self) -> None:
        """Say that Discord is connected."""
        name = self.user.name if self.user is not None else "Easel"
        log.info("%s is ready in %d servers.", name, len(self.guilds))

    async def close(self) -> None:
        """Stop taking jobs, let what is under way end, hand the rest back, and disconnect."""
        if not self.is_closed():
            self.publisher.stop_retrying()
            await self.dispatcher.stop(STOP_GRACE_SECONDS)
            await self.delivery.stop(STOP_GRACE_SECONDS)
            self.reader.close()
            self.detector.stop_detector()
        await super().close()
