"""The gate: what servers and members have set, applied to requests from wherever they come."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import discord

from bot import policy
from bot.choices import with_servers
from bot.locales import language_of
from bot.policy import Asker, Rules, Use
from bot.policy.quota import WINDOW
from bot.policy.rules import AUTOMATIC
from bot.requests import Request
from bot.safety.prompts import check_prompt
from inference.jobs import Job
from storage.guilds import GuildStore
from storage.jobs import JobStore
from storage.records import JobState
from storage.usage import UsageStore

ACTIVE = (JobState.QUEUED, JobState.RUNNING)
MOST = 100  # jobs of one member that are counted


class Gate:
    """Lets through what the server allows, by its settings as they are now."""

    def __init__(
        self,
        jobs: JobStore,
        guilds: GuildStore | None,
        usage: UsageStore | None = None,
        model: str = "",
    ) -> None:
        self._jobs = jobs
        self._guilds = guilds
        self._usage = usage
        #: What a job without a checkpoint takes: the name of the host's own, which may be a path.
        self._default_model = Path(model).name.removesuffix(".safetensors")

    async def rules(self, guild: str | None) -> Rules:
        """Return a server's rules; none where there is no server, or nothing to set them in."""
        if guild is None or self._guilds is None:
            return Rules()
        return Rules.decode(await self._guilds.settings(guild))

    async def is_private(self, guild: str | None) -> bool:
        """Whether a server shows results to their member alone."""
        return (await self.rules(guild)).visibility == "private"

    async def language(self, request: Request) -> str:
        """Return the language of the answer: the member's own where they alone see it."""
        rules = await self.rules(request.guild)
        if request.is_private:
            return request.own_language
        return rules.language if rules.language != AUTOMATIC else request.common_language

    async def language_for(self, guild: discord.Guild | None, guild_id: str | None) -> str:
        """Return the language of a server's channels."""
        chosen = (await self.rules(guild_id)).language
        if chosen != AUTOMATIC:
            return chosen
        return language_of(None if guild is None else guild.preferred_locale)

    async def defaults(self, owner: str) -> dict[str, Any]:
        """Return a member's defaults."""
        return {} if self._guilds is None else await self._guilds.member_defaults(owner)

    async def filled(
        self, guild: str | int | None, job_type: type[Job], values: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Fill in what the server takes where nothing was said."""
        rules = await self.rules(None if guild is None else str(guild))
        return with_servers(job_type, values, rules)

    async def uses(self, guild: str | None, owner: str) -> list[Use]:
        """Return what the member's jobs on that server used of the GPU in the last 24 hours."""
        if guild is None or self._usage is None:
            return []
        since = discord.utils.utcnow() - WINDOW
        return [Use(u.at, u.seconds) for u in await self._usage.since(since, guild, owner)]

    async def fitted(self, request: Request, job: Job) -> Job:
        """Give a job that names no checkpoint one that the server allows."""
        return policy.fitted(await self.rules(request.guild), job, self._default_model)

    async def share(self, request: Request) -> float:
        """Say how many ordinary shares of the GPU whoever asks has on the server."""
        return policy.share_of(await self.rules(request.guild), request.asker)

    async def check(
        self, request: Request, job: Job, sizes: Collection[tuple[int, int]] = ()
    ) -> None:
        """Refuse what the server does not allow.

        Raises:
            NotAllowed: says what is allowed.
        """
        rules = await self.rules(request.guild)
        await self.check_now(rules, request.asker, request.guild, request.owner, job, sizes)
        if rules.max_jobs is not None:
            active = await self._jobs.list_for(request.owner, states=ACTIVE, limit=MOST)
            policy.check_queue(rules, sum(one.guild == request.guild for one in active))
        if rules.max_server_jobs is not None:
            outstanding = await self._jobs.outstanding()
            policy.check_server_queue(rules, sum(one.guild == request.guild for one in outstanding))

    async def check_now(
        self,
        rules: Rules,
        asker: Asker,
        guild: str | None,
        owner: str,
        job: Job,
        sizes: Collection[tuple[int, int]] = (),
    ) -> None:
        """Refuse what may not be asked, and may not run either, whatever else is waiting.

        Raises:
            NotAllowed: says what is allowed.
        """
        policy.check_place(rules, asker)
        policy.check_job(rules, job, sizes)
        check_prompt(rules, job)
        policy.check_models(rules, job, self._default_model)
        if policy.quota_of(rules, asker) is not None:
            policy.check_quota(rules, asker, await self.uses(guild, owner))
