"""The last look at a job, when its turn has come: whether it is still allowed.

Hours may lie between the asking and the turn; roles, channels, quotas and rules may have changed.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING

import discord

from bot.errors import NotAllowed
from bot.guilds import GuildSettings, RequestContext
from bot.guilds.policy import GuildPolicy
from bot.i18n.message import TranslatableMessage, gettext_noop
from bot.requests.reply_target import ReplyTarget
from bot.requests.requester import context_of
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
    """Asks the gate once more, with the member's roles as Discord has them now."""

    def __init__(self, client: discord.Client, gate: GuildPolicy) -> None:
        self._client = client
        self._gate = gate

    async def denial_reason(self, record: JobRecord) -> str | None:
        """Say why a job may no longer run, or None. Never raises.

        Where Discord cannot be asked, the job was allowed when it was queued, and runs.
        """
        try:
            rules = await self._gate.guild_settings(record.guild)
            if rules == GuildSettings():
                return None
            rules, asker = await self._resolve_context(record, rules)
            job = decode_job(record.kind, record.params)
            await self._gate.check_permissions(rules, asker, record.guild, record.owner, job)
        except NotAllowed as error:
            return str(TranslatableMessage(NO_LONGER_ALLOWED_TEXT, why=error))
        except Exception:
            log.exception("Job %s was not looked at again.", record.id)
        return None

    async def _resolve_context(
        self, record: JobRecord, rules: GuildSettings
    ) -> tuple[GuildSettings, RequestContext]:
        """Return where and as what a job was asked, with the rules that can be applied to that."""
        reply_target = ReplyTarget.from_json(record.reply_to)
        guild = None if reply_target is None else self._client.get_guild(reply_target.guild_id or 0)
        if reply_target is None or guild is None:
            return _without_settings(rules, ("channels", "roles", "role_quotas")), RequestContext()
        channel = guild.get_channel_or_thread(reply_target.channel_id)
        if channel is None:
            rules = _without_settings(rules, ("channels",))
        member: discord.Member | None = None
        if rules.roles or rules.role_quotas:
            member = await _fetch_member(guild, int(record.owner))
            if member is None:
                rules = _without_settings(rules, ("roles", "role_quotas", "quota"))
        return rules, context_of(member, channel)


async def _fetch_member(guild: discord.Guild, owner: int) -> discord.Member | None:
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


def _without_settings(rules: GuildSettings, names: Collection[str]) -> GuildSettings:
    """Leave out the rules that nothing is known for."""
    fresh = GuildSettings()
    return dataclasses.replace(rules, **{name: getattr(fresh, name) for name in names})
