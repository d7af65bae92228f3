"""The gate: what servers and members have set, applied to requests from wherever they come."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import discord

from bot import guilds as policy
from bot.filters.prompt_filter import check_prompt
from bot.guilds import GpuUsage, GuildSettings, RequestContext
from bot.guilds.option_defaults import apply_guild_defaults
from bot.guilds.quota import QUOTA_WINDOW
from bot.guilds.settings import AUTOMATIC_LANGUAGE
from bot.i18n.discord_translator import language_of
from bot.requests.requester import MemberRequest
from inference.api.jobs import Job
from storage.guilds import GuildStore
from storage.jobs import JobStore
from storage.records import JobState
from storage.usage import UsageStore

ACTIVE_STATES = (JobState.QUEUED, JobState.RUNNING)
MAX_COUNTED_JOBS = 100  # jobs of one member that are counted


class GuildPolicy:
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

    async def guild_settings(self, guild: str | None) -> GuildSettings:
        """Return a server's rules; none where there is no server, or nothing to set them in."""
        if guild is None or self._guilds is None:
            return GuildSettings()
        return GuildSettings.from_stored(await self._guilds.get_settings(guild))

    async def has_private_results(self, guild: str | None) -> bool:
        """Whether a server shows results to their member alone."""
        return (await self.guild_settings(guild)).visibility == "private"

    async def reply_language(self, request: MemberRequest) -> str:
        """Return the language of the answer: the member's own where they alone see it."""
        rules = await self.guild_settings(request.guild)
        if request.is_private:
            return request.user_language
        return rules.language if rules.language != AUTOMATIC_LANGUAGE else request.guild_language

    async def channel_language(self, guild: discord.Guild | None, guild_id: str | None) -> str:
        """Return the language of a server's channels."""
        guild_language = (await self.guild_settings(guild_id)).language
        if guild_language != AUTOMATIC_LANGUAGE:
            return guild_language
        return language_of(None if guild is None else guild.preferred_locale)

    async def member_defaults(self, owner: str) -> dict[str, Any]:
        """Return a member's defaults."""
        return {} if self._guilds is None else await self._guilds.member_defaults(owner)

    async def fill_guild_defaults(
        self, guild: str | int | None, job_type: type[Job], values: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Fill in what the server takes where nothing was said."""
        rules = await self.guild_settings(None if guild is None else str(guild))
        return apply_guild_defaults(job_type, values, rules)

    async def gpu_usage(self, guild: str | None, owner: str) -> list[GpuUsage]:
        """Return what the member's jobs on that server used of the GPU in the last 24 hours."""
        if guild is None or self._usage is None:
            return []
        since = discord.utils.utcnow() - QUOTA_WINDOW
        return [
            GpuUsage(u.at, u.seconds) for u in await self._usage.usage_since(since, guild, owner)
        ]

    async def with_allowed_model(self, request: MemberRequest, job: Job) -> Job:
        """Give a job that names no checkpoint one that the server allows."""
        return policy.with_allowed_model(
            await self.guild_settings(request.guild), job, self._default_model
        )

    async def fair_share_weight(self, request: MemberRequest) -> float:
        """Say how many ordinary shares of the GPU whoever asks has on the server."""
        return policy.share_of(await self.guild_settings(request.guild), request.request_context)

    async def check_request(
        self, request: MemberRequest, job: Job, sizes: Collection[tuple[int, int]] = ()
    ) -> None:
        """Refuse what the server does not allow.

        Raises:
            NotAllowed: says what is allowed.
        """
        rules = await self.guild_settings(request.guild)
        await self.check_permissions(
            rules, request.request_context, request.guild, request.owner, job, sizes
        )
        if rules.max_jobs is not None:
            active = await self._jobs.list_by_owner(
                request.owner, states=ACTIVE_STATES, limit=MAX_COUNTED_JOBS
            )
            policy.check_queue(rules, sum(record.guild == request.guild for record in active))
        if rules.max_server_jobs is not None:
            outstanding = await self._jobs.list_outstanding()
            policy.check_server_queue(
                rules, sum(record.guild == request.guild for record in outstanding)
            )

    async def check_permissions(
        self,
        rules: GuildSettings,
        asker: RequestContext,
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
            policy.check_quota(rules, asker, await self.gpu_usage(guild, owner))
