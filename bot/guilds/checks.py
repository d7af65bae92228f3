"""The refusals that follow from a server's rules: place, ceilings, queue."""

from __future__ import annotations

from collections.abc import Collection

from bot.errors import NotAllowed
from bot.guilds.settings import GuildSettings, RequestContext
from bot.i18n.message import OptionName, TranslatableMessage
from inference.api.jobs import Job, UpscaleJob


def check_place(rules: GuildSettings, asker: RequestContext) -> None:
    """Refuse a place or a member that the server did not allow.

    Raises:
        NotAllowed: says where, or as what, it may be asked.
    """
    if rules.channels and not rules.channels & asker.channels:
        raise NotAllowed(
            "Easel is used in {channels} here. Ask there.",
            channels=_join_alternatives([f"<#{mention_id}>" for mention_id in rules.channels]),
        )
    if rules.roles and not rules.roles & asker.roles:
        raise NotAllowed(
            "On this server, Easel is for {roles}.",
            roles=_join_alternatives([f"<@&{mention_id}>" for mention_id in rules.roles]),
        )


def check_job(rules: GuildSettings, job: Job, sizes: Collection[tuple[int, int]] = ()) -> None:
    """Refuse a job beyond the server's ceilings; `sizes` are its pictures', once they are read.

    Raises:
        NotAllowed: names the option and the ceiling.
    """
    for name, ceiling in (
        ("steps", rules.max_steps),
        ("hires_steps", rules.max_steps),
        ("batch", rules.max_batch),
        ("loops", rules.max_loops),
    ):
        value = getattr(job, name, None)
        if ceiling is not None and value is not None and value > ceiling:
            raise NotAllowed(
                "{option} is {value}, but this server allows {ceiling}. Ask for less.",
                option=OptionName(name),
                value=value,
                ceiling=ceiling,
            )
    megapixels = _result_megapixels(job, sizes)
    if rules.max_megapixels is not None and megapixels > rules.max_megapixels:
        raise NotAllowed(
            "That would be {megapixels} megapixels, but this server allows {ceiling}. "
            "Ask for a smaller picture.",
            megapixels=f"{megapixels:.3g}",
            ceiling=f"{rules.max_megapixels:g}",
        )


def check_queue(rules: GuildSettings, active: int) -> None:
    """Refuse a member who has as many jobs under way as the server allows.

    Raises:
        NotAllowed: says the number.
    """
    if rules.max_jobs is not None and active >= rules.max_jobs:
        raise NotAllowed(
            "You have {active} jobs under way, and this server allows {most}. "
            "Wait for one, or /cancel one.",
            active=active,
            most=rules.max_jobs,
        )


def check_server_queue(rules: GuildSettings, active: int) -> None:
    """Refuse while the whole server has as many jobs under way as its admins allow.

    Raises:
        NotAllowed: says the number.
    """
    if rules.max_server_jobs is not None and active >= rules.max_server_jobs:
        raise NotAllowed(
            "This server has {active} jobs under way and allows {most}. "
            "Ask again when some are done; /queue shows how busy it is.",
            active=active,
            most=rules.max_server_jobs,
        )


def _result_megapixels(job: Job, sizes: Collection[tuple[int, int]]) -> float:
    """Tell how large a job's result is, as far as it can be told; 0 where it cannot."""
    width, height = getattr(job, "width", None), getattr(job, "height", None)
    if width and height:
        scale = float(getattr(job, "hires_scale", 1.0)) ** 2
        return float(width * height) * scale / 1e6
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
