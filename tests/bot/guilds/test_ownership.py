from __future__ import annotations

import pytest

from bot import guilds


def test_only_the_owner_goes_on_with_a_job():
    assert guilds.may_use("1", "1")
    assert not guilds.may_use("2", "1")


@pytest.mark.parametrize("rule", [guilds.may_delete, guilds.may_cancel])
def test_the_owner_and_moderators_end_things(rule):
    assert rule("1", "1", manages_messages=False)
    assert rule("2", "1", manages_messages=True)
    assert not rule("2", "1", manages_messages=False)
