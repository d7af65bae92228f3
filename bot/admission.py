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
from bot.failures import NOT_THROUGH
from bot.gate import Gate
from bot.policy import Asker, Rules
from bot.reply_to import ReplyTo
from bot.requests import asker_of
from bot.sentences import Sentence, english
from inference.jobs import decode
from storage.records import JobRecord

if TYPE_CHECKING:
    from collections.abc import Collection

log = logging.getLogger(__name__)

NO_LONGER = english("It was its turn, but no longer allowed, and cost nothing. {why}")
FETCH_TIMEOUT = 5.0  # seconds; the queue waits meanwhile


class Admission:
    """Asks the gate once more, with the member's roles as Discord has them now."""

    def __init__(self, client: discord.Client, gate: Gate) -> None:
        self._client = client
        self._gate = gate

    async def refusal(self, record: JobRecord) -> str | None:
        """Say why a job may no longer run, or None. Never raises.

        Where Discord cannot be asked, the job was allowed when it was queued, and runs.
        """
        try:
            rules = await self._gate.rules(record.guild)
            if rules == Rules():
                return None
            rules, asker = await self._asker(record, rules)
            job = decode(record.kind, record.params)
            await self._gate.check_now(rules, asker, record.guild, record.owner, job)
        except NotAllowed as error:
            return str(Sentence(NO_LONGER, why=error))
        except Exception:
            log.exception("Job %s was not looked at again.", record.id)
        return None

    async def _asker(self, record: JobRecord, rules: Rules) -> tuple[Rules, Asker]:
        """Return where and as what a job was asked, with the rules that can be applied to that."""
        there = ReplyTo.decode(record.reply_to)
        guild = None if there is None else self._client.get_guild(there.guild_id or 0)
        if there is None or guild is None:
            return _without(rules, ("channels", "roles", "role_quotas")), Asker()
        channel = guild.get_channel_or_thread(there.channel_id)
        if channel is None:
            rules = _without(rules, ("channels",))
        member: discord.Member | None = None
        if rules.roles or rules.role_quotas:
            member = await _member(guild, int(record.owner))
            if member is None:
                rules = _without(rules, ("roles", "role_quotas", "quota"))
        return rules, asker_of(member, channel)


async def _member(guild: discord.Guild, owner: int) -> discord.Member | None:
    """Return the member as Discord has them now; None where it cannot be asked.

    Raises:
        NotAllowed: they are no longer on the server.
    """
    try:
        return await asyncio.wait_for(guild.fetch_member(owner), FETCH_TIMEOUT)
    except discord.NotFound as error:
        raise NotAllowed("You are no longer on {server}.", server=guild.name) from error
    except NOT_THROUGH as error:
        log.warning("The roles of %d on %d were not read: %s", owner, guild.id, error)
        return None


def _without(rules: Rules, names: Collection[str]) -> Rules:
    """Leave out the rules that nothing is known for."""
    fresh = Rules()
    return dataclasses.replace(rules, **{name: getattr(fresh, name) for name in names})
