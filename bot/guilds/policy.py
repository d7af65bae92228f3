"""What a server allows: its settings as they are now, applied to requests from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import discord

from bot.filters.job_words import check_job_words
from bot.filters.patterns import run_beside_loop
from bot.filters.prompt_filter import check_prompt
from bot.guilds import checks
from bot.guilds.checks import check_quota, quota_of
from bot.guilds.context import RequestContext
from bot.guilds.host_access import HostAccess
from bot.guilds.settings import GuildSettings
from inference.api.errors import JobError
from inference.api.jobs import DenoisingJob, EditingJob, Job, list_job_options
from inference.api.jobs.kinds import CaptionedJob
from inference.api.jobs.model_defaults import (
    ModelDefault,
    fill_model_defaults,
    takes_model_defaults,
)
from inference.api.jobs.price import USUAL_FRAME, ModelFrame
from storage.guilds import GpuUse, GuildStore, UsageStore
from storage.jobs import JobStore
from storage.jobs.guild_load import QUOTA_WINDOW, LoadCheck

ModelDefaultsReader = Callable[[str], Collection[ModelDefault]]

MEMBER_DEFAULT_OPTIONS = (
    "negative_prompt",
    "strength",
    "steps",
    "guidance",
    "sampler",
    "schedule",
    "width",
    "height",
    "batch",
    "model",
)
"""Options of an editing job that may have a default of one's own."""

GUILD_DEFAULT_SETTINGS = {
    "steps": ("default_steps", "max_steps"),
    "batch": ("default_batch", "max_batch"),
    "loops": ("default_loops", "max_loops"),
}
"""Options that a server may have a default for, and a ceiling."""


def check_defaults(values: Mapping[str, Any]) -> None:
    """Refuse defaults that no job could take.

    Raises:
        JobError: names the option and says what would be possible.
    """
    EditingJob(**values)


def apply_member_defaults(
    job_type: type[Job], values: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Fill in what was left out; what this kind of job cannot take is left to the kind.

    A default may have become impossible since it was set, as when a sampler was renamed: the job
    then runs as if it had none. An enlargement has its own sense of strength, steps and size, and
    an explanation paints nothing: defaults are for what paints.
    """
    if not issubclass(job_type, DenoisingJob):
        return dict(values)
    defaultable_names = {option.name for option in list_job_options(job_type)} & {
        *MEMBER_DEFAULT_OPTIONS
    }
    filled_values = dict(values)
    for name in sorted(defaultable_names - values.keys()):
        if name in defaults and _is_possible_default(name, defaults[name]):
            filled_values[name] = defaults[name]
    return filled_values


def _is_possible_default(name: str, value: Any) -> bool:
    try:
        check_defaults({name: value})
    except JobError:
        return False
    return True


def apply_guild_defaults(
    job_type: type[Job],
    values: Mapping[str, Any],
    settings: GuildSettings,
    model_defaults: Collection[ModelDefault] = (),
) -> dict[str, Any]:
    """Fill in what a server takes where nothing is said, else what the checkpoint draws best with.

    Never above the server's own ceilings: so one below a kind's own default, or a checkpoint's,
    refuses nobody who did not ask for more.
    """
    if not takes_model_defaults(job_type, values):
        return dict(values)
    filled_values = fill_model_defaults(job_type, values, model_defaults)
    for option in list_job_options(job_type):
        if option.name in GUILD_DEFAULT_SETTINGS and option.name not in values:
            guild_default, guild_maximum = (
                getattr(settings, name) for name in GUILD_DEFAULT_SETTINGS[option.name]
            )
            usual_value = filled_values.get(option.name, option.default)
            value = usual_value if guild_default is None else guild_default
            value = value if guild_maximum is None else min(value, guild_maximum)
            if value != usual_value or option.name in filled_values:
                filled_values[option.name] = value
    return filled_values


class GuildPolicy:
    """Read a server's settings once for a request, and check the request by them."""

    def __init__(
        self,
        jobs: JobStore,
        guilds: GuildStore,
        usage: UsageStore,
        access: HostAccess,
        model: str = "",
        wordlists: Mapping[str, Sequence[str]] = MappingProxyType({}),
        model_frame: Callable[[Job], ModelFrame] = lambda job: USUAL_FRAME,
        model_defaults: ModelDefaultsReader = lambda name: (),
        can_caption: Callable[[], bool] = lambda: False,
    ) -> None:
        #: Gives what sizes the pictures of a job's model have.
        self._model_frame = model_frame
        #: Gives what a checkpoint draws best with, by its name.
        self.model_defaults = model_defaults
        #: Whether some worker describes pictures.
        self._can_caption = can_caption
        self._jobs = jobs
        self._guilds = guilds
        self._usage = usage
        #: Whom the host serves.
        self.access = access
        #: What prompts draw from: what is drawn is read, too.
        self._wordlists = wordlists
        #: What a job without a checkpoint takes: the name of the host's own, which may be a path.
        self._default_model = Path(model).name.removesuffix(".safetensors")

    async def guild_settings(self, guild: str | int | None) -> GuildSettings:
        """Return a server's settings; where there is no server, the host's for direct messages."""
        if guild is None:
            return self.access.rules.direct_settings
        return GuildSettings.from_stored(await self._guilds.get_settings(str(guild)))

    async def request_settings(
        self, context: RequestContext
    ) -> tuple[GuildSettings, dict[str, Any]]:
        """Return the settings of the server and the defaults of the member who ask."""
        stored, defaults = await self._guilds.get_choices(context.guild_id, context.user_id)
        if context.guild_id is None:
            return self.access.rules.direct_settings, defaults
        return GuildSettings.from_stored(stored), defaults

    async def check_access(self, context: RequestContext) -> None:
        """Refuse whom the host does not serve.

        Raises:
            NotAllowed: says by whom it was decided.
        """
        await self.access.check_access(context)

    def fill_defaults(
        self, settings: GuildSettings, job_type: type[Job], values: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Fill in what the server, or the checkpoint, takes where nothing was said."""
        name = str(values.get("model") or "")
        if not name and settings.models and self._default_model not in settings.models:
            name = settings.models[0]
        filled_values = apply_guild_defaults(job_type, values, settings, self.model_defaults(name))
        if issubclass(job_type, CaptionedJob) and not values.get("prompt") and self._can_caption():
            filled_values.setdefault("caption_prompt", True)
        return filled_values

    async def fill_guild_defaults(
        self, guild: str | int | None, job_type: type[Job], values: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Fill in what the server, or the checkpoint, takes where nothing was said."""
        return self.fill_defaults(await self.guild_settings(guild), job_type, values)

    async def gpu_usage(self, context: RequestContext) -> list[GpuUse]:
        """Return what the member's jobs on that server used of the GPU in the last 24 hours."""
        if context.guild_id is None:
            return []
        since = discord.utils.utcnow() - QUOTA_WINDOW
        return await self._usage.usage_since(since, context.guild_id, context.user_id)

    def with_allowed_model(self, settings: GuildSettings, job: Job) -> Job:
        """Give a job that names no checkpoint one that the server allows."""
        return checks.with_allowed_model(settings, job, self._default_model)

    def load_check(self, settings: GuildSettings, context: RequestContext) -> LoadCheck | None:
        """Return what refuses a job beside others; None where nothing there is bounded."""
        is_bounded = settings.max_jobs or settings.max_server_jobs
        if context.guild_id is None or not (is_bounded or quota_of(settings, context) is not None):
            return None
        return partial(checks.check_load, settings, context)

    async def check_request(
        self, settings: GuildSettings, context: RequestContext, job: Job
    ) -> None:
        """Refuse what the server does not allow.

        Raises:
            NotAllowed: says what is allowed.
        """
        await self.check_access(context)
        await self._check_rules(settings, context, job)
        check_load = self.load_check(settings, context)
        if check_load is not None and context.guild_id is not None:
            check_load(await self._jobs.reader.guild_load(context.guild_id, context.user_id))

    async def check_read_request(
        self,
        settings: GuildSettings,
        context: RequestContext,
        job: Job,
        sizes: Collection[tuple[int, int]],
    ) -> None:
        """Refuse what `check_request` could not tell before the pictures, of `sizes`, were read.

        What the member and the server have under way is looked at where the job is queued.

        Raises:
            NotAllowed: says what is allowed.
        """
        await self.check_access(context)
        checks.check_job(settings, job, sizes, self._model_frame(job))

    async def check_permissions(
        self,
        settings: GuildSettings,
        context: RequestContext,
        job: Job,
        claimed_id: str | None = None,
    ) -> None:
        """Refuse what may not be asked, and may not run either, whatever else is waiting.

        Of the job `claimed_id`, whose turn has come, the quota is held against what was used and
        what runs.

        Raises:
            NotAllowed: says what is allowed.
        """
        await self.check_access(context)
        await self._check_rules(settings, context, job)
        if context.guild_id is not None and quota_of(settings, context) is not None:
            load = await self._jobs.reader.guild_load(context.guild_id, context.user_id, claimed_id)
            check_quota(settings, context, load.uses, load.expected_seconds)

    async def check_showing(
        self, settings: GuildSettings, context: RequestContext, prompts: Iterable[str]
    ) -> None:
        """Refuse a place, or words, that a result made elsewhere may not be shown in or with.

        Raises:
            NotAllowed: says what is allowed.
        """
        await self.check_access(context)
        checks.check_place(settings, context)
        for prompt in prompts:
            await run_beside_loop(
                check_prompt, prompt, settings.banned_words, settings.banned_patterns
            )

    async def check_words(self, settings: GuildSettings, job: Job) -> None:
        """Refuse a job by its words, as `check_job_words` does; long ones do not hold the loop.

        Raises:
            NotAllowed: says which.
            JobError: its weights leave nothing but the negative prompt, or it changes too often.
        """
        await run_beside_loop(
            check_job_words, job, self._wordlists, settings.banned_words, settings.banned_patterns
        )

    async def _check_rules(
        self,
        settings: GuildSettings,
        context: RequestContext,
        job: Job,
    ) -> None:
        checks.check_place(settings, context)
        checks.check_job(settings, job, frame=self._model_frame(job))
        await self.check_words(settings, job)
        checks.check_models(settings, job, self._default_model)
