"""What a server allows: its settings as they are now, applied to requests from anywhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import discord

from bot.filters.prompt_filter import check_prompt
from bot.guilds import checks
from bot.guilds.context import RequestContext
from bot.guilds.option_defaults import apply_guild_defaults
from bot.guilds.quota import QUOTA_WINDOW, GpuUsage, check_quota, quota_of
from bot.guilds.settings import GuildSettings
from inference.api.jobs import Job
from storage.guilds import GuildStore, UsageStore
from storage.jobs import JobStore


class GuildPolicy:
    """Read a server's settings once for a request, and check the request by them."""

    def __init__(
        self,
        jobs: JobStore,
        guilds: GuildStore,
        usage: UsageStore,
        model: str = "",
    ) -> None:
        self._jobs = jobs
        self._guilds = guilds
        self._usage = usage
        #: What a job without a checkpoint takes: the name of the host's own, which may be a path.
        self._default_model = Path(model).name.removesuffix(".safetensors")

    async def guild_settings(self, guild: str | int | None) -> GuildSettings:
        """Return a server's settings; the defaults where there is no server."""
        if guild is None:
            return GuildSettings()
        return GuildSettings.from_stored(await self._guilds.get_settings(str(guild)))

    async def request_settings(
        self, context: RequestContext
    ) -> tuple[GuildSettings, dict[str, Any]]:
        """Return the settings of the server and the defaults of the member who ask."""
        settings, defaults = await self._guilds.get_choices(context.guild_id, context.user_id)
        return GuildSettings.from_stored(settings), defaults

    async def fill_guild_defaults(
        self, guild: str | int | None, job_type: type[Job], values: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Fill in what the server takes where nothing was said."""
        return apply_guild_defaults(job_type, values, await self.guild_settings(guild))

    async def gpu_usage(self, context: RequestContext) -> list[GpuUsage]:
        """Return what the member's jobs on that server used of the GPU in the last 24 hours."""
        if context.guild_id is None:
            return []
        since = discord.utils.utcnow() - QUOTA_WINDOW
        uses = await self._usage.usage_since(since, context.guild_id, context.user_id)
        return [GpuUsage(use.at, use.seconds) for use in uses]

    def with_allowed_model(self, settings: GuildSettings, job: Job) -> Job:
        """Give a job that names no checkpoint one that the server allows."""
        return checks.with_allowed_model(settings, job, self._default_model)

    async def check_request(
        self,
        settings: GuildSettings,
        context: RequestContext,
        job: Job,
        sizes: Collection[tuple[int, int]] = (),
    ) -> None:
        """Refuse what the server does not allow.

        Raises:
            NotAllowed: says what is allowed.
        """
        await self.check_permissions(settings, context, job, sizes)
        if context.guild_id and (settings.max_jobs or settings.max_server_jobs):
            in_guild, of_member = await self._jobs.reader.count_active(
                context.guild_id, context.user_id
            )
            checks.check_queue(settings, of_member)
            checks.check_server_queue(settings, in_guild)

    async def check_permissions(
        self,
        settings: GuildSettings,
        context: RequestContext,
        job: Job,
        sizes: Collection[tuple[int, int]] = (),
    ) -> None:
        """Refuse what may not be asked, and may not run either, whatever else is waiting.

        Raises:
            NotAllowed: says what is allowed.
        """
        checks.check_place(settings, context)
        checks.check_job(settings, job, sizes)
        check_prompt(
            str(getattr(job, "prompt", "")), settings.banned_words, settings.banned_patterns
        )
        checks.check_models(settings, job, self._default_model)
        if quota_of(settings, context) is not None:
            check_quota(settings, context, await self.gpu_usage(context))
