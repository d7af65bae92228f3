"""The Discord client: it starts the bot's services and hands them what Discord says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from bot.commands import COG_CLASSES
from bot.commands.context_menus import make_menus
from bot.commands.mentions import MentionHandler
from bot.i18n.command_mentions import set_command_ids
from bot.i18n.discord_translator import CommandTranslator
from bot.messages.error_replies import EaselTree
from bot.services import Services
from bot.views import PANEL_ITEMS, PERSISTENT_BUTTONS

log = logging.getLogger(__name__)

STOP_GRACE_SECONDS = 10.0  # seconds for jobs and results under way when the bot is closed

FIRST_RETRY_SECONDS = 5.0  # seconds until the second try
MAX_RETRY_SECONDS = 300.0  # seconds

RETRYABLE_ERRORS = (OSError, TimeoutError, aiohttp.ClientError, discord.DiscordServerError)
"""What says nothing about the commands: Discord may have them or not, and can be asked again."""

GATEWAY_INTENTS = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
"""Nothing privileged: of messages, Discord shows the content only where the bot is mentioned."""

T = TypeVar("T")


class EaselBot(commands.AutoShardedBot):
    """A Discord bot that takes jobs for the GPU and shows what comes of them."""

    def __init__(
        self, build_services: Callable[[EaselBot], Services], dev_guild: int | None = None
    ) -> None:
        """Take what makes the services, which need the client, and the one server to publish in."""
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
        self.services = build_services(self)
        self._mentions = MentionHandler(self, self.services)
        self._command_sync = CommandSync(self.tree, dev_guild)

    async def idle_wait(self, awaitable: Awaitable[T], *, reason: str) -> T:
        """Await what only the outside world can bring about: a new job, a worker's word, time.

        A seam: whoever runs the bot against a simulated Discord replaces it on the instance, to
        tell these waits from work that is still under way.
        """
        return await awaitable

    async def setup_hook(self) -> None:
        """Add commands and buttons, start the loops, publish the command tree."""
        for cog in COG_CLASSES:
            await self.add_cog(cog(self.services))
        for menu in make_menus():
            self.tree.add_command(menu)
        await self.tree.set_translator(CommandTranslator())
        self.add_dynamic_items(*PERSISTENT_BUTTONS, *PANEL_ITEMS)
        self.services.decoders.start()
        self.services.dispatcher.start(self.idle_wait)
        self.services.delivery.start(self.idle_wait)
        await self._command_sync.sync_commands()

    async def on_message(self, message: discord.Message, /) -> None:
        """Hear what is said to the bot; there are no commands in messages."""
        if message.author.bot:
            return  # its own results come back this way
        await self._mentions.handle_message(message)

    async def on_ready(self) -> None:
        """Say that Discord is connected."""
        name = self.user.name if self.user is not None else "Easel"
        log.info("%s is ready in %d servers.", name, len(self.guilds))

    async def close(self) -> None:
        """Stop taking jobs, let what is under way end, hand the rest back, and disconnect."""
        if not self.is_closed():
            self._command_sync.stop_retrying()
            await self.services.dispatcher.stop(STOP_GRACE_SECONDS)
            await self.services.delivery.stop(STOP_GRACE_SECONDS)
            self.services.decoders.close()
            self.services.detector.stop_detector()
        await super().close()


class CommandSync:
    """Tells Discord which commands there are: at once for one server, else for all.

    Discord keeps what it was told before, so members can go on while it is tried again.
    """

    def __init__(
        self,
        tree: app_commands.CommandTree,
        guild: int | None,
        first_retry_seconds: float = FIRST_RETRY_SECONDS,
    ) -> None:
        self._tree = tree
        self._guild = None if guild is None else discord.Object(guild)
        self._first_retry_seconds = first_retry_seconds
        self._retry: asyncio.Task[None] | None = None

    async def sync_commands(self) -> None:
        """Try once; where no answer comes, go on trying in the background.

        Raises:
            discord.HTTPException: Discord refused a command.
        """
        if self._guild is not None:
            self._tree.copy_global_to(guild=self._guild)
        if not await self._try_sync():
            self._retry = asyncio.create_task(self._keep_trying(), name="publish commands")

    def stop_retrying(self) -> None:
        """Try no more."""
        if self._retry is not None:
            self._retry.cancel()

    async def _keep_trying(self) -> None:
        wait = self._first_retry_seconds
        try:
            while True:
                await asyncio.sleep(wait)
                if await self._try_sync():
                    return
                wait = min(2 * wait, MAX_RETRY_SECONDS)
        except discord.HTTPException:
            log.exception("Discord refused the commands.")

    async def _try_sync(self) -> bool:
        try:
            published_commands = await self._tree.sync(guild=self._guild)
        except RETRYABLE_ERRORS as error:
            log.warning("Discord did not confirm the commands, trying again: %r", error)
            return False
        set_command_ids(dict(list_command_ids(published_commands)))
        return True


def list_command_ids(
    published_commands: Iterable[app_commands.AppCommand],
) -> Iterator[tuple[str, int]]:
    """List the full names of slash commands with the numbers that Discord gave them."""
    for command in published_commands:
        if command.type is discord.AppCommandType.chat_input:
            for name in _full_names(command):
                yield name, command.id


def _full_names(part: app_commands.AppCommand | app_commands.AppCommandGroup) -> Iterator[str]:
    groups = [option for option in part.options if isinstance(option, app_commands.AppCommandGroup)]
    if not groups:
        yield part.name
    for group in groups:
        for name in _full_names(group):
            yield f"{part.name} {name}"
