"""Export and import, as admins do it."""

from __future__ import annotations

import pytest

from bot.commands import style


async def exported(house, admin) -> bytes:
    result = await house.ask_plain("settings export", admin)
    assert result.ephemeral
    (file,) = result.response.attachments
    assert file.filename == "easel-settings.yaml"
    return await file.read()


async def taken(house, admin, data, **more):
    options = {"file": ("settings.yaml", data), **more}
    return await admin.slash(house.channel, "settings import", **options)


async def test_out_and_in_changes_nothing(house, admin, said):
    await house.ask_plain("settings limits", admin, max_steps=30)
    await house.ask_plain("settings channel", admin, channel=house.channel)
    data = await exported(house, admin)
    assert "what is set already" in said(await taken(house, admin, data))


async def test_what_differs_is_taken_and_undone_as_one(house, admin, said):
    await house.ask_plain("settings limits", admin, max_steps=30)
    data = b"version: 1\nsettings: {max_batch: 2, banned_words: [gore]}"
    words = said(await taken(house, admin, data))
    assert "**Changed:**" in words
    assert "max_steps: `30` → `not set`" in words
    assert "banned_words: `not set` → `gore`" in words
    guild = str(house.guild.id)
    assert await house.guilds.get_settings(guild) == {"max_batch": 2, "banned_words": ["gore"]}
    await house.ask_plain("settings undo", admin, what="last change")
    assert await house.guilds.get_settings(guild) == {"max_steps": 30}


async def test_a_check_changes_nothing(house, admin, said):
    data = b"version: 1\nsettings: {max_batch: 2}"
    words = said(await taken(house, admin, data, only_check=True))
    assert "This would change" in words
    assert await house.guilds.get_settings(str(house.guild.id)) == {}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"version: 1\nsettings: {max_batch: 2, nonsense: 1}", "nonsense is no setting"),
        (b"version: 2\nsettings: {max_batch: 2}", "newer Easel"),
        (b"version: 1\nsettings: {channels: ['123456789']}", "no channel 123456789"),
        (b"version: 1\nsettings: {role_quotas: {'123456789': 5}}", "no role 123456789"),
        (b"\x89PNG\r\n\x1a\n", "no text in UTF-8"),
        (b"x" * 300_000, "at most 262144"),
        (b"version: 1\nsettings: {max_batch: 2}\nstyles: {Ink: {}}", "“Ink” needs words"),
    ],
)
async def test_a_bad_file_changes_nothing(house, admin, said, data, words):
    await house.ask_plain("settings limits", admin, max_steps=30)
    refused = await taken(house, admin, data)
    assert "Nothing was changed" in said(refused)
    assert words in said(refused)
    assert await house.guilds.get_settings(str(house.guild.id)) == {"max_steps": 30}


async def test_a_servers_style_is_undone_like_a_setting(house, admin, said):
    guild = str(house.guild.id)
    await house.ask_plain("settings limits", admin, max_steps=30)
    await house.ask_plain("style save", admin, name="dark", prompt="dark", server=True)
    await house.ask_plain("settings undo", admin, what="last change")
    assert await house.guilds.list_styles(guild) == []
    assert await house.guilds.get_settings(guild) == {"max_steps": 30}
    await house.ask_plain("settings undo", admin, what="last change")
    assert [one.name for one in await house.guilds.list_styles(guild)] == ["dark"]


@pytest.fixture
async def styled(house, admin):
    await house.ask_plain("style save", admin, name="Ink", prompt="ink", server=True)
    await house.ask_plain("style save", admin, name="Oil", prompt="oil", server=True)
    return str(house.guild.id)


async def test_styles_go_out_and_in(house, admin, said, styled):
    data = await exported(house, admin)
    assert b"Ink:\n    prompt: ink\n" in data
    assert "what is set already" in said(await taken(house, admin, data))


async def test_styles_are_taken_as_a_whole_and_undone_as_one(house, admin, said, styled):
    before = await house.guilds.list_styles(styled)
    styles = b"{ink: {prompt: black ink}, Wax: {prompt: x}}"
    data = b"version: 1\nsettings: {max_batch: 2}\nstyles: " + styles
    words = said(await taken(house, admin, data, only_check=True))
    assert "style Oil: `prompt: oil` → `not set`" in words
    assert await house.guilds.list_styles(styled) == before
    await taken(house, admin, data)
    kept = {one.name: one.prompt for one in await house.guilds.list_styles(styled)}
    assert kept == {"ink": "black ink", "Wax": "x"}
    await house.ask_plain("settings undo", admin, what="last change")
    assert await house.guilds.list_styles(styled) == before
    assert await house.guilds.get_settings(styled) == {}


async def test_a_file_without_styles_leaves_them(house, admin, styled):
    await taken(house, admin, b"version: 1\nsettings: {max_batch: 2}")
    assert len(await house.guilds.list_styles(styled)) == 2
    await taken(house, admin, b"version: 1\nstyles:\n")
    assert await house.guilds.list_styles(styled) == []


async def test_a_server_has_so_many_styles_at_most(house, admin, monkeypatch, said, styled):
    monkeypatch.setattr(style, "MAX_GUILD_STYLES", 2)
    more = await house.ask_plain("style save", admin, name="Wax", prompt="x", server=True)
    assert "This server has 2 styles." in more.response.content
    await house.ask_plain("style save", admin, name="OIL", prompt="y", server=True)
    assert {one.prompt for one in await house.guilds.list_styles(styled)} == {"ink", "y"}
