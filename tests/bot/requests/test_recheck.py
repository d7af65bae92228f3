"""A job whose turn has come is looked at once more."""

from __future__ import annotations

import pytest

from bot.requests.recheck import PermissionRecheck


@pytest.fixture
async def waiting(easel):
    """A server with one role that may use Easel, a member who has it, and her job in the queue."""
    easel.service.ready = False
    role = easel.guild.create_role("artists")
    artist = easel.guild.add_member(easel.env.create_user("dora"), roles=[role])
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"roles": [str(role.id)]})
    await easel.ask(member=artist)
    return role, artist


async def test_who_still_has_the_role_is_served(easel, waiting):
    await easel.take_up_work()
    assert len(easel.service.submitted) == 1


async def test_who_lost_the_role_reads_why_and_pays_nothing(easel, waiting):
    role, artist = waiting
    easel.env.backend.remove_member_role(easel.guild.id, artist.id, role.id)
    await easel.take_up_work()
    assert easel.service.submitted == []
    record = await easel.only_job(artist)
    assert (record.state, record.charged) == ("failed", 0.0)
    assert "no longer allowed, and cost nothing" in easel.messages()[-1].content
    assert f"<@&{role.id}>" in easel.messages()[-1].content


async def test_who_left_the_server_is_not_served(easel, waiting):
    _, artist = waiting
    easel.guild.remove_member(artist)
    await easel.take_up_work()
    assert easel.service.submitted == []
    assert "no longer on" in (await easel.only_job(artist)).error


async def test_a_job_that_was_allowed_runs_where_discord_cannot_be_asked(easel, waiting):
    role, artist = waiting
    easel.env.backend.remove_member_role(easel.guild.id, artist.id, role.id)
    easel.env.inject_error("GET", "/guilds/*/members/*", status=503, times=None)
    await easel.take_up_work()
    assert len(easel.service.submitted) == 1


async def test_a_ceiling_lowered_meanwhile_holds(easel):
    easel.service.ready = False
    await easel.ask(steps=40)
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"max_steps": 30})
    await easel.take_up_work()
    assert "this server allows 30" in (await easel.only_job()).error


async def test_a_channel_that_is_no_longer_allowed(easel):
    easel.service.ready = False
    await easel.ask()
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"channels": ["10001"]})
    await easel.take_up_work()
    assert "Easel is used in <#10001>" in (await easel.only_job()).error


async def test_words_that_a_list_has_gained_are_read_without_any_setting(easel):
    easel.settings.wordlists_path.mkdir()
    (easel.settings.wordlists_path / "who.txt").write_text("a cat\n")
    easel.service.ready = False
    await easel.ask(prompt="nude, __who__")
    (easel.settings.wordlists_path / "who.txt").write_text("child\n")
    await easel.take_up_work()
    assert easel.service.submitted == []
    assert "sexual picture of minors" in (await easel.only_job()).error


async def test_a_job_called_off_while_it_is_looked_at_is_not_handed_over(
    easel, waiting, monkeypatch
):
    _, artist = waiting
    record = await easel.only_job(artist)
    look = PermissionRecheck.denial_reason

    async def look_slowly(self, record):
        await easel.services.dispatcher.cancel_job(record.id, record.owner)
        return await look(self, record)

    monkeypatch.setattr(PermissionRecheck, "denial_reason", look_slowly)
    await easel.take_up_work()
    assert easel.service.submitted == []
    assert (await easel.jobs.reader.get_job(record.id)).state == "cancelled"
