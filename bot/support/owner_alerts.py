"""Easel's keeper, who owns the application: the one place from which the host is told."""

from __future__ import annotations

import asyncio
import logging

import discord

from bot.support.discord_errors import TRANSPORT_ERRORS

log = logging.getLogger(__name__)

MAX_DM_LENGTH = 1900  # characters of one message


class OwnerNotifier:
    """Writes to those who own the bot, in their direct messages; the log has it in any case."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()

    def notify_owners(self, words: str) -> asyncio.Task[None]:
        """Tell them, later; never raises, nor does the task."""
        log.error("%s", words, extra={"action": "alarm"})
        task = asyncio.create_task(self._send_to_owners(words), name="tell the keeper")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _send_to_owners(self, words: str) -> None:
        try:
            application = await self._client.application_info()
            team = application.team
            people = (
                [application.owner.id] if team is None else [member.id for member in team.members]
            )
        except TRANSPORT_ERRORS as error:
            log.warning("Nobody knows who keeps this bot: %s", error)
            return
        for person in people:
            try:
                channel = await self._client.create_dm(discord.Object(person))
                await channel.send(f"⚠️ {words}"[:MAX_DM_LENGTH])
            except TRANSPORT_ERRORS as error:
                log.warning("The keeper %d could not be told: %s", person, error)
