"""Publishing the command tree, also where Discord does not answer at once."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import discord
from discord import app_commands

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 5.0  # seconds until the second try
MAX_RETRY_SECONDS = 300.0  # seconds

RETRYABLE_ERRORS = (OSError, TimeoutError, aiohttp.ClientError, discord.DiscordServerError)
"""What says nothing about the commands: Discord may have them or not, and can be asked again."""


class CommandSync:
    """Tells Discord which commands there are: at once for one server, else for all.

    Discord keeps what it was told before, so members can go on while it is tried again.
    """

    def __init__(self, tree: app_commands.CommandTree, guild: int | None) -> None:
        self._tree = tree
        self._guild = None if guild is None else discord.Object(guild)
        self._again: asyncio.Task[None] | None = None
        self.first_wait = FIRST_RETRY_SECONDS

    async def sync_commands(self) -> None:
        """Try once; where no answer comes, go on trying in the background.

        Raises:
            discord.HTTPException: Discord refused a command.
        """
        if self._guild is not None:
            self._tree.copy_global_to(guild=self._guild)
        if not await self._try_sync():
            self._again = asyncio.create_task(self._keep_trying(), name="publish commands")

    def stop_retrying(self) -> None:
        """Try no more."""
        if self._again is not None:
            self._again.cancel()

    async def _keep_trying(self) -> None:
        wait = self.first_wait
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
            await self._tree.sync(guild=self._guild)
        except RETRYABLE_ERRORS as error:
            log.warning("Discord did not confirm the commands, trying again: %r", error)
            return False
        return True
