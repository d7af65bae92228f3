"""The refusals that follow from a server's settings, quotas, and what others may do with a job."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from bot.errors import NotAllowed
from bot.guilds.context import RequestContext
from bot.guilds.settings import GuildSettings
from bot.i18n.message import OptionName, TranslatableMessage
from inference.api.jobs import DenoisingJob, ExplainJob, ImagineJob, Job, UpscaleJob
from inference.api.jobs.price import USUAL_FRAME, ModelFrame
from inference.api.jobs.sizes import hires_sizes, target_size
from inference.api.prompts.extra_networks import take_networks
from storage.guilds import GpuUse
from storage.jobs.guild_load import QUOTA_WINDOW, GuildLoad


def quota_of(settings: GuildSettings, context: RequestContext) -> float | None:
    """Return the member's quota in seconds: the largest of their roles', else everyone's."""
    member_quotas = [
        seconds for role, seconds in settings.role_quotas.items() if role in context.roles
    ]
    return max(member_quotas, default=settings.quota)


def share_of(settings: GuildSettings, context: RequestContext) -> float:
    """Return how many ordinary shares of the GPU the member has: the largest of their roles'."""
    member_shares = [share for role, share in settings.role_shares.items() if role in context.roles]
    return max(member_shares, default=1.0)


def remaining_quota(quota: float, uses: Sequence[GpuUse]) -> float:
    """Return the seconds left of a quota, never below 0; `uses` are those of the window."""
    return max(0.0, quota - sum(use.seconds for use in uses))


def check_load(settings: GuildSettings, context: RequestContext, load: GuildLoad) -> None:
    """Refuse a job that is too much beside what the member and the server have under way.

    Raises:
        NotAllowed: says the limit, and what to wait for.
    """
    check_queue(settings, load.owner_jobs)
    check_server_queue(settings, load.guild_jobs)
    check_quota(settings, context, load.uses, load.expected_seconds)


def check_quota(
    settings: GuildSettings,
    context: RequestContext,
    uses: Sequence[GpuUse],
    expected_seconds: float = 0.0,
) -> None:
    """Refuse a member who has used up their quota, or will have with the jobs under way.

    `uses` are those of the window, oldest first; `expected_seconds` is what the jobs under way are
    thought to take, infinite where one of them cannot be foretold.

    Raises:
        NotAllowed: says how much it is and when some of it comes back.
    """
    quota = quota_of(settings, context)
    if quota is None or (quota > 0 and remaining_quota(quota, uses) > expected_seconds):
        return
    if quota == 0:
        raise NotAllowed("Your roles have no GPU time on this server. Its admins can change that.")
    used_seconds = sum(use.seconds for use in uses)
    if used_seconds < quota:
        raise NotAllowed(
            "You have used {used} of the {quota} GPU-seconds that this server allows you in "
            "24 hours, and your jobs under way are thought to take the rest. Ask again when one "
            "has ended, or /cancel one.",
            used=f"{used_seconds:.0f}",
            quota=f"{quota:.0f}",
        )
    release_time = next_quota_release(quota, uses)
    stamp = int(release_time.timestamp())
    raise NotAllowed(
        "You have used {used} of the {quota} GPU-seconds that this server allows you in "
        "24 hours; 0 remain. The next come back <t:{stamp}:R>, at <t:{stamp}:t>.",
        used=f"{used_seconds:.0f}",
        quota=f"{quota:.0f}",
        stamp=stamp,
    )


def next_quota_release(quota: float, uses: Sequence[GpuUse]) -> datetime:
    """Return when the first seconds are free again; `uses` must be more than the quota holds."""
    counted_seconds = sum(use.seconds for use in uses)
    for use in uses:
        counted_seconds -= use.seconds
        if counted_seconds < quota:
            break
    return use.at + QUOTA_WINDOW


MAX_LISTED_NAMES = 10  # names in one refusal


def check_place(settings: GuildSettings, context: RequestContext) -> None:
    """Refuse a place or a member that the server did not allow.

    Raises:
        NotAllowed: says where, or as what, it may be asked.
    """
    if settings.channels and not settings.channels & context.channels:
        raise NotAllowed(
            "Easel is used in {channels} here. Ask there.",
            channels=_join_alternatives([f"<#{mention_id}>" for mention_id in settings.channels]),
        )
    if settings.roles and not settings.roles & context.roles:
        raise NotAllowed(
            "On this server, Easel is for {roles}.",
            roles=_join_alternatives([f"<@&{mention_id}>" for mention_id in settings.roles]),
        )


def check_job(
    settings: GuildSettings,
    job: Job,
    sizes: Collection[tuple[int, int]] = (),
    frame: ModelFrame = USUAL_FRAME,
) -> None:
    """Refuse a job beyond the server's ceilings; `sizes` are its pictures', once they are read.

    `frame` is what sizes its model's pictures have.

    Raises:
        NotAllowed: names the option and the ceiling.
    """
    for name, ceiling in (
        ("steps", settings.max_steps),
        ("hires_steps", settings.max_steps),
        ("batch", settings.max_batch),
        ("loops", settings.max_loops),
    ):
        value = getattr(job, name, None)
        if ceiling is not None and value is not None and value > ceiling:
            raise NotAllowed(
                "{option} is {value}, but this server allows {ceiling}. Ask for less.",
                option=OptionName(name),
                value=value,
                ceiling=ceiling,
            )
    megapixels = _result_megapixels(job, sizes, frame)
    if settings.max_megapixels is not None and megapixels > settings.max_megapixels:
        raise NotAllowed(
            "That would be {megapixels} megapixels, but this server allows {ceiling}. "
            "Ask for a smaller picture.",
            megapixels=f"{megapixels:.3g}",
            ceiling=f"{settings.max_megapixels:g}",
        )


def check_queue(settings: GuildSettings, active: int) -> None:
    """Refuse a member who has as many jobs under way as the server allows.

    Raises:
        NotAllowed: says the number.
    """
    if settings.max_jobs is not None and active >= settings.max_jobs:
        raise NotAllowed(
            "You have {active} jobs under way, and this server allows {most}. "
            "Wait for one, or /cancel one.",
            active=active,
            most=settings.max_jobs,
        )


def check_server_queue(settings: GuildSettings, active: int) -> None:
    """Refuse while the whole server has as many jobs under way as its admins allow.

    Raises:
        NotAllowed: says the number.
    """
    if settings.max_server_jobs is not None and active >= settings.max_server_jobs:
        raise NotAllowed(
            "This server has {active} jobs under way and allows {most}. "
            "Ask again when some are done; /queue shows how busy it is.",
            active=active,
            most=settings.max_server_jobs,
        )


def with_allowed_model(settings: GuildSettings, job: Job, default: str) -> Job:
    """Give a job that names no checkpoint one that is allowed, where the host's own is not."""
    if not settings.models or default in settings.models or checkpoint_of(job) != "":
        return job
    model_override: dict[str, Any] = {"model": settings.models[0]}
    return dataclasses.replace(job, **model_override)


def check_models(settings: GuildSettings, job: Job, default: str) -> None:
    """Refuse a checkpoint or a LoRA that the server did not allow.

    Raises:
        NotAllowed: names it, and what is allowed.
    """
    model = checkpoint_of(job)
    if settings.models and model is not None:
        refiner = getattr(job, "refiner", "")
        for name in (model or default, *([refiner] if refiner else ())):
            if name not in settings.models:
                raise _not_allowed(
                    "This server does not allow the model “{name}”. It allows {allowed}.",
                    name,
                    settings.models,
                )
    if settings.loras:
        for name in lora_names_in(job.positive_prompts):
            if name not in settings.loras:
                raise _not_allowed(
                    "This server does not allow the LoRA “{name}”. It allows {allowed}.",
                    name,
                    settings.loras,
                )


def is_model_allowed(settings: GuildSettings, kind: str, name: str) -> bool:
    """Whether a server lets its members name something that workers have."""
    allowed_names = {"diffusion": settings.models, "lora": settings.loras}.get(kind, ())
    return not allowed_names or name in allowed_names


def lora_names_in(prompt: str) -> Iterator[str]:
    """Yield the names of the LoRAs that a prompt's tags ask for."""
    for network in take_networks(prompt)[1]:
        if network.is_lora:
            yield network.name.strip()


def checkpoint_of(job: Job) -> str | None:
    """Return the checkpoint that a job names, empty for the host's own; None where it runs none."""
    if isinstance(job, DenoisingJob | ExplainJob) or (
        isinstance(job, UpscaleJob) and job.mode == "redraw"
    ):
        return job.model
    return None


def may_use(presser: str, owner: str) -> bool:
    """Whether a member may work on with a job: only its owner may."""
    return presser == owner


def may_delete(presser: str, owner: str, *, manages_messages: bool) -> bool:
    """Whether a member may take a result away: its owner, and who manages the channel."""
    return presser == owner or manages_messages


def may_cancel(presser: str, owner: str, *, manages_messages: bool) -> bool:
    """Whether a member may stop a job: its owner, and who manages the channel."""
    return presser == owner or manages_messages


def _result_megapixels(job: Job, sizes: Collection[tuple[int, int]], frame: ModelFrame) -> float:
    """Tell how large a job's result is, as far as it can be told; 0 where it cannot."""
    width, height = getattr(job, "width", None), getattr(job, "height", None)
    if isinstance(job, ImagineJob):
        if not (width and height):
            width, height = target_size(width, height, None, *frame)
        if job.has_hires_fix:
            _, (width, height) = hires_sizes(
                (width, height),
                job.hires_scale,
                job.hires_width,
                job.hires_height,
                frame.multiple,
            )
    if width and height:
        return float(width * height) / 1e6
    if isinstance(job, UpscaleJob):
        return max((w * h for w, h in sizes), default=0) * job.factor**2 / 1e6
    return 0.0


def _join_alternatives(alternatives: Collection[str]) -> str | TranslatableMessage:
    *some, last_alternative = sorted(alternatives)
    return (
        TranslatableMessage("{some} or {other}", some=", ".join(some), other=last_alternative)
        if some
        else last_alternative
    )


def _not_allowed(words: str, name: str, allowed_names: Sequence[str]) -> NotAllowed:
    names_text: str | TranslatableMessage = ", ".join(
        f"“{allowed_name}”" for allowed_name in allowed_names[:MAX_LISTED_NAMES]
    )
    if len(allowed_names) > MAX_LISTED_NAMES:
        names_text = TranslatableMessage(
            "{some} and {count} more", some=names_text, count=len(allowed_names) - MAX_LISTED_NAMES
        )
    safe_name = " ".join(name.replace("`", "ˋ").split())[:100]
    return NotAllowed(words, name=safe_name, allowed=names_text)
