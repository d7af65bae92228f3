"""GPU-seconds a member may use within 24 hours: how many are left, and when they come back.

The day is a rolling one: what a job used comes back 24 hours after the job ended, so that no hour
is better than another to ask in, whatever the member's time zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.errors import NotAllowed
from bot.guilds.context import RequestContext
from bot.guilds.settings import GuildSettings

QUOTA_WINDOW = timedelta(hours=24)


@dataclass(frozen=True)
class GpuUsage:
    """What one job used of the GPU."""

    #: When the job ended: an aware time.
    at: datetime
    #: Seconds of the GPU.
    seconds: float


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


def remaining_quota(quota: float, uses: Sequence[GpuUsage]) -> float:
    """Return the seconds left of a quota, never below 0; `uses` are those of the window."""
    return max(0.0, quota - sum(use.seconds for use in uses))


def check_quota(settings: GuildSettings, context: RequestContext, uses: Sequence[GpuUsage]) -> None:
    """Refuse a member who has used up their quota; `uses` are those of the window, oldest first.

    Raises:
        NotAllowed: says how much it is and when some of it comes back.
    """
    quota = quota_of(settings, context)
    if quota is None or (quota > 0 and remaining_quota(quota, uses) > 0):
        return
    if quota == 0:
        raise NotAllowed("Your roles have no GPU time on this server. Its admins can change that.")
    used_seconds = sum(use.seconds for use in uses)
    release_time = next_quota_release(quota, uses)
    stamp = int(release_time.timestamp())
    raise NotAllowed(
        "You have used {used} of the {quota} GPU-seconds that this server allows you in "
        "24 hours; 0 remain. The next come back <t:{stamp}:R>, at <t:{stamp}:t>.",
        used=f"{used_seconds:.0f}",
        quota=f"{quota:.0f}",
        stamp=stamp,
    )


def next_quota_release(quota: float, uses: Sequence[GpuUsage]) -> datetime:
    """Return when the first seconds are free again; `uses` must be more than the quota holds."""
    counted_seconds = sum(use.seconds for use in uses)
    for use in uses:
        counted_seconds -= use.seconds
        if counted_seconds < quota:
            break
    return use.at + QUOTA_WINDOW
