"""Export and import, as admins do it."""

from __future__ import annotations

import pytest


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
    assert await house.guilds.settings(guild) == {"max_batch": 2, "banned_words": ["gore"]}
    await house.ask_plain("settings undo", admin, what="last change")
    assert await house.guilds.settings(guild) == {"max_steps": 30}


async def test_a_check_changes_nothing(house, admin, said):
    data = b"version: 1\nsettings: {max_batch: 2}"
    words = said(await taken(house, admin, data, only_check=True))
    assert "This would change" in words
    assert await house.guilds.settings(str(house.guild.id)) == {}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"version: 1\nsettings: {max_batch: 2, nonsense: 1}", "nonsense is no setting"),
        (b"version: 2\nsettings: {max_batch: 2}", "newer Easel"),
        (b"version: 1\nsettings: {channels: ['123456789']}", "no channel 123456789"),
        (b"version: 1\nsettings: {role_quotas: {'123456789': 5}}", "no role 123456789"),
        (b"\x89PNG\r\n\x1a\n", "no text in UTF-8"),
        (b"x" * 70_000, "at most 65536"),
    ],
)
async def test_a_bad_file_changes_nothing(house, admin, said, data, words):
    await house.ask_plain("settings limits", admin, max_steps=30)
    refused = await taken(house, admin, data)
    assert "Nothing was changed" in said(refused)
    assert words in said(refused)
    assert await house.guilds.settings(str(house.guild.id)) == {"max_steps": 30}


async def test_undo_looks_past_styles(house, admin, said):
    await house.ask_plain("settings limits", admin, max_steps=30)
    await house.ask_plain("style save", admin, name="dark", prompt="dark", server=True)
    back = await house.ask_plain("settings undo", admin, what="last change")
    assert "Steps: as the host allows" in said(back)
