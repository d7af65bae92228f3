"""The refusals that follow from a server's rules: place, ceilings, queue."""

from __future__ import annotations

from collections.abc import Collection

from bot.errors import NotAllowed
from bot.policy.rules import Asker, Rules
from inference.jobs import Job, Upscale


def check_place(rules: Rules, asker: Asker) -> None:
    """Refuse a place or a member that the server did not allow.

    Raises:
        NotAllowed: says where, or as what, it may be asked.
    """
    if rules.channels and not rules.channels & asker.channels:
        raise NotAllowed(f"Easel is used in {_listed(rules.channels, '#')} here. Ask there.")
    if rules.roles and not rules.roles & asker.roles:
        raise NotAllowed(f"On this server, Easel is for {_listed(rules.roles, '@&')}.")


def check_job(rules: Rules, job: Job, sizes: Collection[tuple[int, int]] = ()) -> None:
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
            label = name.replace("_", " ")
            raise NotAllowed(f"{label} is {value}, but this server allows {ceiling}. Ask for less.")
    megapixels = _megapixels(job, sizes)
    if rules.max_megapixels is not None and megapixels > rules.max_megapixels:
        raise NotAllowed(
            f"That would be {megapixels:.3g} megapixels, but this server allows "
            f"{rules.max_megapixels:g}. Ask for a smaller picture."
        )


def check_queue(rules: Rules, active: int) -> None:
    """Refuse a member who has as many jobs under way as the server allows.

    Raises:
        NotAllowed: says the number.
    """
    if rules.max_jobs is not None and active >= rules.max_jobs:
        raise NotAllowed(
            f"You have {active} jobs under way, and this server allows {rules.max_jobs}. "
            "Wait for one, or /cancel one."
        )


def check_server_queue(rules: Rules, active: int) -> None:
    """Refuse while the whole server has as many jobs under way as its admins allow.

    Raises:
        NotAllowed: says the number.
    """
    if rules.max_server_jobs is not None and active >= rules.max_server_jobs:
        raise NotAllowed(
            f"This server has {active} jobs under way and allows {rules.max_server_jobs}. "
            "Ask again when some are done; /queue shows how busy it is."
        )


def _megapixels(job: Job, sizes: Collection[tuple[int, int]]) -> float:
    """Tell how large a job's result is, as far as it can be told; 0 where it cannot."""
    width, height = getattr(job, "width", None), getattr(job, "height", None)
    if width and height:
        scale = float(getattr(job, "hires_scale", 1.0)) ** 2
        return float(width * height) * scale / 1e6
    if isinstance(job, Upscale):
        return max((w * h for w, h in sizes), default=0) * job.factor**2 / 1e6
    return 0.0


def _listed(ids: Collection[str], mark: str) -> str:
    return " or ".join(f"<{mark}{one}>" for one in sorted(ids))
