"""`/settings`: what admins set, and that it holds for everyone from every side."""

from __future__ import annotations

import pytest
import simcord

from tests.doubles.images import png


async def test_members_do_not_see_it(easel):
    with pytest.raises(simcord.SetupError):
        await easel.ask_plain("settings show")


async def test_nothing_set(easel, admin):
    result = await easel.ask_plain("settings show", admin)
    assert result.ephemeral
    assert "Channels: all" in result.response.content
    assert "Steps: as the host allows (150)" in result.response.content
    assert "Days that results are kept: as the host allows (90)" in result.response.content


async def test_a_ceiling_holds_for_commands_buttons_and_replies(easel, admin, said):
    result = await easel.ask(steps=40)
    await easel.finish()
    await easel.ask_plain("settings limits", admin, max_steps=30)
    assert "steps is 40, but this server allows 30" in said(await easel.ask(steps=40))
    again = await easel.alice.click(result.response, label="Again")
    assert "this server allows 30" in said(again)
    await easel.alice.send(
        easel.channel,
        f"<@{easel.bot.user.id}> make it red, steps 31",
        attachments=[("a.png", png())],
    )
    assert "this server allows 30" in easel.messages()[-1].content
    assert await easel.count() == 1
    await easel.ask(steps=30)
    assert await easel.count() == 2


async def test_zero_lifts_a_ceiling_and_the_others_stay(easel, admin):
    await easel.ask_plain("settings limits", admin, max_steps=30, max_batch=2)
    result = await easel.ask_plain("settings limits", admin, max_steps=0)
    assert "Steps: as the host allows" in result.response.content
    assert "Batch: at most 2" in result.response.content


async def test_an_enlargement_too_large_is_refused_once_its_picture_is_read(easel, admin, said):
    await easel.ask_plain("settings limits", admin, max_megapixels=0.1)
    result = await easel.ask("upscale", image=("a.png", png((200, 200))), factor=2.0)
    assert "0.16 megapixels, but this server allows 0.1" in said(result)
    assert easel.messages() == []
    assert await easel.count() == 0


async def test_only_in_a_channel(easel, admin, said):
    other = easel.guild.create_text_channel("art")
    await easel.ask_plain("settings channel", admin, channel=other)
    refused = await easel.ask()
    assert refused.ephemeral
    assert f"Easel is used in <#{other.id}> here" in said(refused)
    await easel.alice.slash(other, "img2img", image=("a.png", png()))
    assert await easel.count() == 1
    await easel.ask_plain("settings channel", admin, channel=other, allow=False)
    await easel.ask()
    assert await easel.count() == 2


async def test_only_for_a_role(easel, admin, said):
    role = easel.guild.create_role("artists")
    artist = easel.guild.add_member(easel.env.create_user("dora"), roles=[role])
    await easel.ask_plain("settings role", admin, role=role)
    assert "Easel is for" in said(await easel.ask())
    await easel.ask(member=artist)
    assert await easel.count() == 1


async def test_jobs_under_way_are_counted(easel, admin, said):
    await easel.ask_plain("settings limits", admin, max_jobs=1)
    await easel.ask()
    assert "this server allows 1" in said(await easel.ask())
    await easel.ask(member=easel.bob)
    assert await easel.count() == 2


async def test_a_dry_run(easel, admin):
    other = easel.guild.create_text_channel("art")
    await easel.ask_plain("settings channel", admin, channel=other)
    here = await admin.slash(easel.channel, "settings try", member=easel.alice)
    there = await admin.slash(easel.channel, "settings try", member=easel.alice, channel=other)
    assert here.response.content.startswith("No.")
    assert there.response.content.startswith("Yes:")
    assert await easel.count() == 0


async def test_changes_are_recorded_and_taken_back(easel, admin):
    await easel.ask_plain("settings limits", admin, max_steps=30)
    await easel.ask_plain("settings limits", admin, max_steps=50)
    shown = await easel.ask_plain("settings show", admin)
    assert f"{admin.mention} Steps: `30` → `50`" in shown.response.content
    back = await easel.ask_plain("settings undo", admin, what="last change")
    assert "Steps: at most 30" in back.response.content
    none = await easel.ask_plain("settings undo", admin, what="everything")
    assert "Steps: as the host allows" in none.response.content


async def test_direct_messages_have_no_server_rules(easel, admin):
    await easel.ask_plain("settings limits", admin, max_steps=5)
    await easel.alice.user.slash("img2img", image=("a.png", png()))
    assert await easel.count() == 1
