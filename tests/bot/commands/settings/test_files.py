"""Export and import, as admins do it."""

from __future__ import annotations

import pytest

from bot.commands import style


async def exported(easel, admin) -> bytes:
    result = await easel.ask_plain("settings export", admin)
    assert result.ephemeral
    (file,) = result.response.attachments
    assert file.filename == "easel-settings.yaml"
    return await file.read()


async def taken(easel, admin, data, **more):
    options = {"file": ("settings.yaml", data), **more}
    return await admin.slash(easel.channel, "settings import", **options)


async def test_out_and_in_changes_nothing(easel, admin, said):
    await easel.ask_plain("settings limits", admin, max_steps=30)
    await easel.ask_plain("settings channel", admin, channel=easel.channel)
    data = await exported(easel, admin)
    assert "what is set already" in said(await taken(easel, admin, data))


async def test_what_differs_is_taken_and_undone_as_one(easel, admin, said):
    await easel.ask_plain("settings limits", admin, max_steps=30)
    data = b"version: 1\nsettings: {max_batch: 2, banned_words: [gore]}"
    words = said(await taken(easel, admin, data))
    assert "**Changed:**" in words
    assert "Steps: `30` → `not set`" in words
    assert "Forbidden words: `not set` → `gore`" in words
    guild = str(easel.guild.id)
    assert await easel.guilds.get_settings(guild) == {"max_batch": 2, "banned_words": ["gore"]}
    await easel.ask_plain("settings undo", admin, what="last change")
    assert await easel.guilds.get_settings(guild) == {"max_steps": 30}


async def test_a_check_changes_nothing(easel, admin, said):
    data = b"version: 1\nsettings: {max_batch: 2}"
    words = said(await taken(easel, admin, data, only_check=True))
    assert "This would change" in words
    assert await easel.guilds.get_settings(str(easel.guild.id)) == {}


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
async def test_a_bad_file_changes_nothing(easel, admin, said, data, words):
    await easel.ask_plain("settings limits", admin, max_steps=30)
    refused = await taken(easel, admin, data)
    assert "Nothing was changed" in said(refused)
    assert words in said(refused)
    assert await easel.guilds.get_settings(str(easel.guild.id)) == {"max_steps": 30}


async def test_a_servers_style_is_undone_like_a_setting(easel, admin, said):
    guild = str(easel.guild.id)
    await easel.ask_plain("settings limits", admin, max_steps=30)
    await easel.ask_plain("style save", admin, name="dark", prompt="dark", server=True)
    await easel.ask_plain("settings undo", admin, what="last change")
    assert await easel.guilds.list_styles(guild) == []
    assert await easel.guilds.get_settings(guild) == {"max_steps": 30}
    await easel.ask_plain("settings undo", admin, what="last change")
    assert [one.name for one in await easel.guilds.list_styles(guild)] == ["dark"]


@pytest.fixture
async def styled(easel, admin):
    await easel.ask_plain("style save", admin, name="Ink", prompt="ink", server=True)
    await easel.ask_plain("style save", admin, name="Oil", prompt="oil", server=True)
    return str(easel.guild.id)


async def test_styles_go_out_and_in(easel, admin, said, styled):
    data = await exported(easel, admin)
    assert b"Ink:\n    prompt: ink\n" in data
    assert "what is set already" in said(await taken(easel, admin, data))


async def test_styles_are_taken_as_a_whole_and_undone_as_one(easel, admin, said, styled):
    before = await easel.guilds.list_styles(styled)
    styles = b"{ink: {prompt: black ink}, Wax: {prompt: x}}"
    data = b"version: 1\nsettings: {max_batch: 2}\nstyles: " + styles
    words = said(await taken(easel, admin, data, only_check=True))
    assert "style Oil: `prompt: oil` → `not set`" in words
    assert await easel.guilds.list_styles(styled) == before
    await taken(easel, admin, data)
    kept = {one.name: one.prompt for one in await easel.guilds.list_styles(styled)}
    assert kept == {"ink": "black ink", "Wax": "x"}
    await easel.ask_plain("settings undo", admin, what="last change")
    assert await easel.guilds.list_styles(styled) == before
    assert await easel.guilds.get_settings(styled) == {}


async def test_a_file_without_styles_leaves_them(easel, admin, styled):
    await taken(easel, admin, b"version: 1\nsettings: {max_batch: 2}")
    assert len(await easel.guilds.list_styles(styled)) == 2
    await taken(easel, admin, b"version: 1\nstyles:\n")
    assert await easel.guilds.list_styles(styled) == []


async def test_a_server_has_so_many_styles_at_most(easel, admin, monkeypatch, said, styled):
    monkeypatch.setattr(style, "MAX_GUILD_STYLES", 2)
    more = await easel.ask_plain("style save", admin, name="Wax", prompt="x", server=True)
    assert "This server has 2 styles." in more.response.content
    await easel.ask_plain("style save", admin, name="OIL", prompt="y", server=True)
    assert {one.prompt for one in await easel.guilds.list_styles(styled)} == {"ink", "y"}
