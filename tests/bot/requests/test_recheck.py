"""A job whose turn has come is looked at once more."""

from __future__ import annotations

import pytest

from bot.requests.recheck import PermissionRecheck


@pytest.fixture
async def waiting(house):
    """A server with one role that may use Easel, a member who has it, and her job in the queue."""
    house.service.ready = False
    role = house.guild.create_role("artists")
    artist = house.guild.add_member(house.env.create_user("dora"), roles=[role])
    await house.guilds.change_settings(str(house.guild.id), "1", {"roles": [str(role.id)]})
    await house.ask(member=artist)
    return role, artist


async def test_who_still_has_the_role_is_served(house, waiting):
    await house.take_up_work()
    assert len(house.service.submitted) == 1


async def test_who_lost_the_role_reads_why_and_pays_nothing(house, waiting):
    role, artist = waiting
    house.env.backend.remove_member_role(house.guild.id, artist.id, role.id)
    await house.take_up_work()
    assert house.service.submitted == []
    record = await house.only_job(artist)
    assert (record.state, record.charged) == ("failed", 0.0)
    assert "no longer allowed, and cost nothing" in house.messages()[-1].content
    assert f"<@&{role.id}>" in house.messages()[-1].content


async def test_who_left_the_server_is_not_served(house, waiting):
    _, artist = waiting
    house.guild.remove_member(artist)
    await house.take_up_work()
    assert house.service.submitted == []
    assert "no longer on" in (await house.only_job(artist)).error


async def test_a_job_that_was_allowed_runs_where_discord_cannot_be_asked(house, waiting):
    role, artist = waiting
    house.env.backend.remove_member_role(house.guild.id, artist.id, role.id)
    house.env.inject_error("GET", "/guilds/*/members/*", status=503, times=None)
    await house.take_up_work()
    assert len(house.service.submitted) == 1


async def test_a_ceiling_lowered_meanwhile_holds(house):
    house.service.ready = False
    await house.ask(steps=40)
    await house.guilds.change_settings(str(house.guild.id), "1", {"max_steps": 30})
    await house.take_up_work()
    assert "this server allows 30" in (await house.only_job()).error


async def test_a_channel_that_is_no_longer_allowed(house):
    house.service.ready = False
    await house.ask()
    await house.guilds.change_settings(str(house.guild.id), "1", {"channels": ["10001"]})
    await house.take_up_work()
    assert "Easel is used in <#10001>" in (await house.only_job()).error


async def test_a_job_called_off_while_it_is_looked_at_is_not_handed_over(
    house, waiting, monkeypatch
):
    _, artist = waiting
    record = await house.only_job(artist)
    look = PermissionRecheck.denial_reason

    async def look_slowly(self, record):
        await house.services.dispatcher.cancel_job(record.id, record.owner)
        return await look(self, record)

    monkeypatch.setattr(PermissionRecheck, "denial_reason", look_slowly)
    await house.take_up_work()
    assert house.service.submitted == []
    assert (await house.jobs.reader.get_job(record.id)).state == "cancelled"
