"""The picture check and the log channel, as admins set them."""

from __future__ import annotations


async def test_the_check(easel, admin, said):
    shown = await easel.ask_plain("settings nsfw", admin, ordinary="block", threshold=0.6)
    assert "(from 0.6): block; unchecked in age-restricted channels" in said(shown)
    shown = await easel.ask_plain("settings nsfw", admin, age_restricted="spoiler")
    assert "block; spoiler in age-restricted channels" in said(shown)
    await easel.ask_plain("settings nsfw", admin, ordinary="unchecked")
    shown = await easel.ask_plain("settings nsfw", admin, age_restricted="unchecked")
    assert "not for everybody" not in said(shown)


async def test_the_log_channel(easel, admin, said):
    log = easel.guild.create_text_channel("log")
    shown = await easel.ask_plain("settings log", admin, channel=log)
    assert f"Log channel: <#{log.id}>" in said(shown)
    assert "Log channel" not in said(await easel.ask_plain("settings log", admin))


async def test_undo_takes_back_the_last(easel, admin, said):
    await easel.ask_plain("settings nsfw", admin, ordinary="block")
    await easel.ask_plain("settings nsfw", admin, ordinary="hold")
    back = await easel.ask_plain("settings undo", admin, what="last change")
    assert ": block;" in said(back)
