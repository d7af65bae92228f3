"""Who may do what: pure functions over plain values, without Discord or storage."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from bot.errors import NotAllowed
from inference.jobs import Job, Upscale


def may_use(presser: str, owner: str) -> bool:
    """Whether a member may work on with a job: only its owner may."""
    return presser == owner


def may_delete(presser: str, owner: str, *, manages_messages: bool) -> bool:
    """Whether a member may take a result away: its owner, and who manages the channel."""
    return presser == owner or manages_messages


def may_cancel(presser: str, owner: str, *, manages_messages: bool) -> bool:
    """Whether a member may stop a job: its owner, and who manages the channel."""
    return presser == owner or manages_messages


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Where a member asks, and as what."""

    #: Ids of the channel and, for a thread, of the channel it belongs to.
    channels: frozenset[str] = frozenset()
    #: Ids of the member's roles.
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a server has set; what is None or empty is left to the host."""

    #: Ids of the channels in which Easel may be used; empty for all.
    channels: frozenset[str] = frozenset()
    #: Ids of the roles of which one is needed; empty for everyone.
    roles: frozenset[str] = frozenset()
    max_steps: int | None = None
    max_megapixels: float | None = None
    max_batch: int | None = None
    max_loops: int | None = None
    #: Jobs one member may have waiting or running.
    max_jobs: int | None = None

    @classmethod
    def decode(cls, settings: Mapping[str, Any]) -> Self:
        """Read them from what storage keeps; settings of other parts are not looked at."""
        names = {item.name for item in dataclasses.fields(cls)}
        known = {name: value for name, value in settings.items() if name in names}
        for name in ("channels", "roles"):
            known[name] = frozenset(map(str, known.get(name, ())))
        return cls(**known)


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
