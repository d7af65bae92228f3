"""Check a job once more when its turn has come: whether it is still allowed.

Hours may lie between request and turn; roles, channels, quotas and settings may have changed.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING

import discord

from bot.errors import NotAllowed
from bot.guilds.context import RequestContext, context_of
from bot.guilds.policy import GuildPolicy
from bot.guilds.settings import GuildSettings
from bot.i18n import translate, use_language
from bot.i18n.message import gettext_noop
from bot.requests.reply_target import ReplyTarget, stored_reply_language
from bot.support.discord_errors import TRANSPORT_ERRORS
from inference.api.jobs import decode_job
from storage.records import JobRecord

if TYPE_CHECKING:
    from collections.abc import Collection

log = logging.getLogger(__name__)

NO_LONGER_ALLOWED_TEXT = gettext_noop(
    "It was its turn, but no longer allowed, and cost nothing. {why}"
)
MEMBER_FETCH_TIMEOUT_SECONDS = 5.0  # seconds; the queue waits meanwhile


class PermissionRecheck:
    """Check a job by the settings and roles of the moment when it is claimed."""

    def __init__(self, client: discord.Client, policy: GuildPolicy) -> None:
        self._client = client
        self._policy = policy

    async def denial_reason(self, record: JobRecord) -> str | None:
        """Say why a job may no longer run, or None. Never raises.

        Where Discord cannot be asked, the job was allowed when it was queued, and runs.
        """
        try:
            settings = await self._policy.guild_settings(record.guild)
            await self._policy.check_access(
                RequestContext(guild_id=record.guild, user_id=record.owner)
            )
            job = decode_job(record.kind, record.params)
            if settings == GuildSettings():
                await self._policy.check_words(settings, job)
                return None
            settings, context = await self._resolve_context(record, settings)
            await self._policy.check_permissions(settings, context, job, record.id)
        except NotAllowed as error:
            with use_language(stored_reply_language(record.reply_to)):
                return translate(NO_LONGER_ALLOWED_TEXT, why=error.sentence)
        except Exception:
            log.exception("Job %s was not looked at again.", record.id)
        return None

    async def _resolve_context(
        self, record: JobRecord, settings: GuildSettings
    ) -> tuple[GuildSettings, RequestContext]:
        """Return where and as what a job was asked, with the settings that apply to that."""
        reply_target = ReplyTarget.from_json(record.reply_to)
        guild = None if reply_target is None else self._client.get_guild(reply_target.guild_id or 0)
        if reply_target is None or guild is None:
            settings = _without_settings(settings, ("channels", "roles", "role_quotas"))
            return settings, RequestContext(guild_id=record.guild, user_id=record.owner)
        channel = guild.get_channel_or_thread(reply_target.channel_id)
        if channel is None:
            settings = _without_settings(settings, ("channels",))
        member: discord.Member | None = None
        if settings.roles or settings.role_quotas:
            member = await fetch_member(guild, int(record.owner))
            if member is None:
                settings = _without_settings(settings, ("roles", "role_quotas", "quota"))
        context = context_of(member, channel, guild_id=record.guild, user_id=record.owner)
        return settings, context


async def fetch_member(guild: discord.Guild, owner: int) -> discord.Member | None:
    """Return the member as Discord has them now; None where it cannot be asked.

    Raises:
        NotAllowed: they are no longer on the server.
    """
    try:
        return await asyncio.wait_for(guild.fetch_member(owner), MEMBER_FETCH_TIMEOUT_SECONDS)
    except discord.NotFound as error:
        raise NotAllowed("You are no longer on {server}.", server=guild.name) from error
    except TRANSPORT_ERRORS as error:
        log.warning("The roles of %d on %d were not read: %s", owner, guild.id, error)
        return None


def _without_settings(settings: GuildSettings, names: Collection[str]) -> GuildSettings:
    """Leave out the settings that cannot be applied."""
    fresh = GuildSettings()
    return dataclasses.replace(settings, **{name: getattr(fresh, name) for name in names})
