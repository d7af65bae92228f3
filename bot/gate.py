"""The gate: what servers and members have set, applied to requests from wherever they come."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bot import policy
from bot.policy import Rules
from bot.requests import Request
from inference.jobs import Job
from storage.guilds import GuildStore
from storage.jobs import JobStore
from storage.records import JobState

ACTIVE = (JobState.QUEUED, JobState.RUNNING)
MOST = 100  # jobs of one member that are counted


class Gate:
    """Lets through what the server allows, by its settings as they are now."""

    def __init__(self, jobs: JobStore, guilds: GuildStore | None) -> None:
        self._jobs = jobs
        self._guilds = guilds

    async def rules(self, guild: str | None) -> Rules:
        """Return a server's rules; none where there is no server, or nothing to set them in."""
        if guild is None or self._guilds is None:
            return Rules()
        return Rules.decode(await self._guilds.settings(guild))

    async def defaults(self, owner: str) -> dict[str, Any]:
        """Return a member's defaults."""
        return {} if self._guilds is None else await self._guilds.member_defaults(owner)

    async def check(
        self, request: Request, job: Job, sizes: Collection[tuple[int, int]] = ()
    ) -> None:
        """Refuse what the server does not allow.

        Raises:
            NotAllowed: says what is allowed.
        """
        rules = await self.rules(request.guild)
        policy.check_place(rules, request.asker)
        policy.check_job(rules, job, sizes)
        if rules.max_jobs is not None:
            active = await self._jobs.list_for(request.owner, states=ACTIVE, limit=MOST)
            policy.check_queue(rules, sum(one.guild == request.guild for one in active))
