"""A server's log channel: told of what moderators should know, and never in anybody's way."""

from __future__ import annotations

import logging
from collections.abc import Callable

import discord

from bot import messages
from bot.guilds.policy import GuildPolicy
from bot.i18n import use_language
from bot.i18n.discord_translator import language_of
from bot.requests.reply_target import ReplyTarget
from bot.support.discord_errors import TRANSPORT_ERRORS
from storage.errors import StorageError
from storage.moderation import ModerationCase, ScreeningRecord
from storage.records import JobRecord

log = logging.getLogger(__name__)


class LogChannel:
    """Writes into the channel that a server has set for it; without one, nobody is told."""

    def __init__(self, client: discord.Client, policy: GuildPolicy) -> None:
        self._client = client
        self._policy = policy

    async def post_withheld(self, record: JobRecord, screening: ScreeningRecord) -> None:
        """Tell that a result was not shown. Never raises."""
        link = job_message_url(record)
        await self._post_message(
            record.guild, lambda: messages.log_withheld(record, screening, link)
        )

    async def post_report(self, record: JobRecord, case: ModerationCase) -> None:
        """Tell that a member reported a result. Never raises."""
        link = job_message_url(record)
        await self._post_message(record.guild, lambda: messages.log_reported(record, case, link))

    async def post_refusal(self, guild: str | None, owner: str) -> None:
        """Tell that somebody asked for what no server can allow. Never raises."""
        await self._post_message(guild, lambda: messages.log_refused(owner))

    async def post_unchecked(self, guild: str | None) -> None:
        """Tell that nothing is made or shown, since no picture can be checked. Never raises."""
        await self._post_message(guild, messages.log_unchecked)

    async def _post_message(self, guild: str | None, words: Callable[[], str]) -> None:
        try:
            settings = await self._policy.guild_settings(guild)
            channel = settings.log_channel
            if guild is None or channel is None:
                return
            target_channel = self._client.get_partial_messageable(int(channel), guild_id=int(guild))
            server = self._client.get_guild(int(guild))
            language = language_of(None if server is None else server.preferred_locale)
            with use_language(settings.channel_language(language)):
                await target_channel.send(words())
        except (*TRANSPORT_ERRORS, StorageError) as error:
            log.warning("The log channel of %s was not told: %s", guild, error)


def job_message_url(record: JobRecord) -> str:
    """Link to the message that shows a job, as far as it is known."""
    reply_target = ReplyTarget.from_json(record.reply_to)
    if reply_target is None:
        return ""
    return reply_target.message_url(record.message or reply_target.message_id)
