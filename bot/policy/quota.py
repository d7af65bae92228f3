"""GPU-seconds a member may use within 24 hours: how many are left, and when they come back.

The day is a rolling one: what a job used comes back 24 hours after the job ended, so that no hour
is better than another to ask in, whatever the member's time zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.errors import NotAllowed
from bot.policy.rules import Asker, Rules

WINDOW = timedelta(hours=24)


@dataclass(frozen=True)
class Use:
    """What one job used of the GPU."""

    #: When the job ended: an aware time.
    at: datetime
    #: Seconds of the GPU.
    seconds: float


def quota_of(rules: Rules, asker: Asker) -> float | None:
    """Return the member's quota in seconds: the largest of their roles', else everyone's."""
    own = [seconds for role, seconds in rules.role_quotas.items() if role in asker.roles]
    return max(own, default=rules.quota)


def share_of(rules: Rules, asker: Asker) -> float:
    """Return how many ordinary shares of the GPU the member has: the largest of their roles'."""
    own = [share for role, share in rules.role_shares.items() if role in asker.roles]
    return max(own, default=1.0)


def left_of(quota: float, uses: Sequence[Use]) -> float:
    """Return the seconds left of a quota, never below 0; `uses` are those of the window."""
    return max(0.0, quota - sum(use.seconds for use in uses))


def check_quota(rules: Rules, asker: Asker, uses: Sequence[Use]) -> None:
    """Refuse a member who has used up their quota; `uses` are those of the window, oldest first.

    Raises:
        NotAllowed: says how much it is and when some of it comes back.
    """
    quota = quota_of(rules, asker)
    if quota is None or (quota > 0 and left_of(quota, uses) > 0):
        return
    if quota == 0:
        raise NotAllowed("Your roles have no GPU time on this server. Its admins can change that.")
    used = sum(use.seconds for use in uses)
    back = renewal(quota, uses)
    stamp = int(back.timestamp())
    raise NotAllowed(
        "You have used {used} of the {quota} GPU-seconds that this server allows you in "
        "24 hours; 0 remain. The next come back <t:{stamp}:R>, at <t:{stamp}:t>.",
        used=f"{used:.0f}",
        quota=f"{quota:.0f}",
        stamp=stamp,
    )


def renewal(quota: float, uses: Sequence[Use]) -> datetime:
    """Return when the first seconds are free again; `uses` must be more than the quota holds."""
    remaining = sum(use.seconds for use in uses)
    for use in uses:
        remaining -= use.seconds
        if remaining < quota:
            break
    return use.at + WINDOW
