from __future__ import annotations

import pytest

from storage.errors import ConstraintBroken
from storage.guilds import GuildStore, PromptStyle, SettingsChange


@pytest.fixture
def guilds(database, clock):
    return GuildStore(database, clock)


async def test_a_server_that_never_chose_has_no_settings(guilds):
    assert await guilds.get_settings("guild") == {}
    assert await guilds.list_changes("guild") == []


async def test_settings_are_merged_and_none_removes(guilds):
    await guilds.change_settings("guild", "ada", {"model": "sdxl", "per_owner": 5})

    after = await guilds.change_settings("guild", "ada", {"model": None, "nsfw": "blur"})

    assert {"per_owner": 5, "nsfw": "blur"} == after == await guilds.get_settings("guild")
    assert await guilds.get_settings("another") == {}


async def test_each_change_leaves_a_row_and_no_change_leaves_none(guilds, clock):
    await guilds.change_settings("guild", "ada", {"model": "sdxl"})
    clock.pass_time(60)
    await guilds.change_settings("guild", "bob", {"model": "sd15", "gone": None})
    await guilds.change_settings("guild", "bob", {"model": "sd15"})
    await guilds.change_settings("another", "cyd", {"model": "sd15"})

    newest, oldest = await guilds.list_changes("guild")

    assert (
        SettingsChange(actor="bob", subject="model", before="sdxl", after="sd15", at=clock.now())
        == newest
    )
    assert (oldest.actor, oldest.before, oldest.after) == ("ada", None, "sdxl")
    assert await guilds.list_changes("guild", limit=1) == [newest]


async def test_the_record_of_changes_cannot_be_rewritten(guilds, database):
    await guilds.change_settings("guild", "ada", {"model": "sdxl"})

    with pytest.raises(ConstraintBroken, match="never rewritten"):
        await database.execute("UPDATE guild_audit SET actor = 'nobody'")


async def test_a_members_defaults_are_replaced_as_a_whole_and_forgotten(guilds):
    assert await guilds.member_defaults("ada") == {}
    await guilds.put_member_defaults("ada", {"steps": 30, "sampler": "euler"})
    await guilds.put_member_defaults("ada", {"steps": 20})

    assert await guilds.member_defaults("ada") == {"steps": 20}
    assert await guilds.member_defaults("bob") == {}
    assert [await guilds.forget_member("ada") for _ in range(2)] == [True, False]
    assert await guilds.member_defaults("ada") == {}


async def test_styles_are_a_servers_own_and_named_in_any_case(guilds):
    ink = PromptStyle(name="Ink", prompt="ink drawing", negative_prompt="colour")
    await guilds.put_style("guild", "ada", PromptStyle(name="ink", prompt="first"))
    await guilds.put_style("guild", "ada", ink)
    await guilds.put_style("guild", "ada", PromptStyle(name="anime", prompt="anime"))
    await guilds.put_style("another", "ada", PromptStyle(name="oil", prompt="oil"))

    assert [style.name for style in await guilds.list_styles("guild")] == ["anime", "Ink"]
    assert await guilds.get_style("guild", "INK") == ink
    assert await guilds.get_style("guild", "oil") is None


async def test_changes_of_styles_are_on_record_too(guilds):
    ink = PromptStyle(name="ink", prompt="ink drawing")
    await guilds.put_style("guild", "ada", ink)
    await guilds.put_style("guild", "ada", ink)

    assert [await guilds.delete_style("guild", "bob", "INK") for _ in range(2)] == [True, False]

    assert await guilds.get_style("guild", "ink") is None
    deleted, added = await guilds.list_changes("guild")
    assert (deleted.actor, deleted.subject, deleted.after) == ("bob", "style ink", None)
    assert (added.actor, added.after["prompt"], added.before) == ("ada", "ink drawing", None)
