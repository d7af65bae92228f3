"""A server's log channel: told of what moderators should know, and never in anybody's way."""

from __future__ import annotations

import logging
from collections.abc import Callable

import discord

from bot import texts
from bot.failures import NOT_THROUGH
from bot.gate import Gate
from bot.locales import speaking
from bot.reply_to import ReplyTo
from storage.errors import StorageError
from storage.moderation import Case, Screening
from storage.records import JobRecord

log = logging.getLogger(__name__)


class LogChannel:
    """Writes into the channel that a server has set for it; without one, nobody is told."""

    def __init__(self, client: discord.Client, gate: Gate) -> None:
        self._client = client
        self._gate = gate

    async def withheld(self, record: JobRecord, screening: Screening) -> None:
        """Tell that a result was not shown. Never raises."""
        link = link_to(record)
        await self._write(record.guild, lambda: texts.log_withheld(record, screening, link))

    async def reported(self, record: JobRecord, case: Case) -> None:
        """Tell that a member reported a result. Never raises."""
        link = link_to(record)
        await self._write(record.guild, lambda: texts.log_reported(record, case, link))

    async def refused(self, guild: str | None, owner: str) -> None:
        """Tell that somebody asked for what no server can allow. Never raises."""
        await self._write(guild, lambda: texts.log_refused(owner))

    async def _write(self, guild: str | None, words: Callable[[], str]) -> None:
        try:
            channel = (await self._gate.rules(guild)).log_channel
            if guild is None or channel is None:
                return
            there = self._client.get_partial_messageable(int(channel), guild_id=int(guild))
            server = self._client.get_guild(int(guild))
            with speaking(await self._gate.language_for(server, guild)):
                await there.send(words())
        except (*NOT_THROUGH, StorageError) as error:
            log.warning("The log channel of %s was not told: %s", guild, error)


def link_to(record: JobRecord) -> str:
    """Link to the message that shows a job, as far as it is known."""
    there = ReplyTo.decode(record.reply_to)
    if there is None:
        return ""
    return there.link(record.message or there.message_id)
