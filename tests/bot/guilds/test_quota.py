from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.errors import NotAllowed
from bot.guilds import (
    GuildSettings,
    RequestContext,
    check_quota,
    quota_of,
    remaining_quota,
    share_of,
)
from storage.guilds import GpuUse

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MEMBER = RequestContext(roles=frozenset({"10001", "10002"}))
ROLES = {"10001": 60.0, "10002": 300.0, "10003": 900.0}


def uses(*seconds: float) -> list[GpuUse]:
    """Jobs that ended an hour apart, from noon on."""
    return [GpuUse(NOON + timedelta(hours=n), s) for n, s in enumerate(seconds)]


@pytest.mark.parametrize(
    ("rules", "seconds"),
    [
        (GuildSettings(), None),
        (GuildSettings(quota=100.0), 100.0),
        (GuildSettings(quota=100.0, role_quotas={"10003": 900.0}), 100.0),
        (GuildSettings(role_quotas=ROLES), 300.0),
        (
            GuildSettings(quota=1000.0, role_quotas=ROLES),
            300.0,
        ),  # a role stands in place of everyone's
        (GuildSettings(quota=1000.0, role_quotas={"10001": 0.0}), 0.0),
    ],
)
def test_whose_quota_holds(rules, seconds):
    assert quota_of(rules, MEMBER) == seconds


@pytest.mark.parametrize(
    ("shares", "share"),
    [({}, 1.0), ({"10003": 4.0}, 1.0), ({"10001": 0.5}, 0.5), ({"10001": 0.5, "10002": 2.0}, 2.0)],
)
def test_whose_share_holds(shares, share):
    assert share_of(GuildSettings(role_shares=shares), MEMBER) == share


@pytest.mark.parametrize(("spent", "left"), [((), 100.0), ((30.0, 20.0), 50.0), ((99.0, 5.0), 0.0)])
def test_what_is_left(spent, left):
    assert remaining_quota(100.0, uses(*spent)) == left


@pytest.mark.parametrize("spent", [(), (99.9,), (50.0, 49.0)])
def test_who_has_some_left_is_let_through(spent):
    check_quota(GuildSettings(quota=100.0), MEMBER, uses(*spent))
    check_quota(GuildSettings(), MEMBER, uses(1e6))


@pytest.mark.parametrize(
    ("spent", "hours"),
    [
        ((100.0,), 24),  # the only one
        ((10.0, 90.0), 24),  # the first frees some
        ((10.0, 200.0), 25),  # the first is not enough
        ((1.0, 1.0, 98.0, 50.0), 26),
    ],
)
def test_it_comes_back_when_enough_is_a_day_old(spent, hours):
    with pytest.raises(NotAllowed) as refused:
        check_quota(GuildSettings(quota=100.0), MEMBER, uses(*spent))
    back = int((NOON + timedelta(hours=hours)).timestamp())
    assert f"<t:{back}:R>" in str(refused.value)
    assert f"used {sum(spent):.0f} of the 100 GPU-seconds" in str(refused.value)
    assert "0 remain" in str(refused.value)


def test_a_role_without_any_time_is_told_so():
    with pytest.raises(NotAllowed, match="no GPU time"):
        check_quota(GuildSettings(role_quotas={"10001": 0.0}), MEMBER, [])
