"""`/settings`: what admins set, and that it holds for everyone from every side."""

from __future__ import annotations

import pytest
import simcord

from tests.doubles.images import png


async def test_members_do_not_see_it(house):
    with pytest.raises(simcord.SetupError):
        await house.ask_plain("settings show")


async def test_nothing_set(house, admin):
    result = await house.ask_plain("settings show", admin)
    assert result.ephemeral
    assert "Channels: all" in result.response.content
    assert "Steps: as the host allows" in result.response.content


async def test_a_ceiling_holds_for_commands_buttons_and_replies(house, admin, said):
    result = await house.ask(steps=40)
    await house.finish()
    await house.ask_plain("settings limits", admin, max_steps=30)
    assert "steps is 40, but this server allows 30" in said(await house.ask(steps=40))
    again = await house.alice.click(result.response, label="Again")
    assert "this server allows 30" in said(again)
    await house.alice.send(
        house.channel,
        f"<@{house.bot.user.id}> make it red, steps 31",
        attachments=[("a.png", png())],
    )
    assert "this server allows 30" in house.messages()[-1].content
    assert await house.count() == 1
    await house.ask(steps=30)
    assert await house.count() == 2


async def test_zero_lifts_a_ceiling_and_the_others_stay(house, admin):
    await house.ask_plain("settings limits", admin, max_steps=30, max_batch=2)
    result = await house.ask_plain("settings limits", admin, max_steps=0)
    assert "Steps: as the host allows" in result.response.content
    assert "Batch: at most 2" in result.response.content


async def test_an_enlargement_too_large_is_refused_once_its_picture_is_read(house, admin, said):
    await house.ask_plain("settings limits", admin, max_megapixels=0.1)
    result = await house.ask("upscale", image=("a.png", png((200, 200))), factor=2.0)
    assert "0.16 megapixels, but this server allows 0.1" in said(result)
    assert house.messages() == []
    assert await house.count() == 0


async def test_only_in_a_channel(house, admin, said):
    other = house.guild.create_text_channel("art")
    await house.ask_plain("settings channel", admin, channel=other)
    refused = await house.ask()
    assert refused.ephemeral
    assert f"Easel is used in <#{other.id}> here" in said(refused)
    await house.alice.slash(other, "img2img", image=("a.png", png()))
    assert await house.count() == 1
    await house.ask_plain("settings channel", admin, channel=other, allow=False)
    await house.ask()
    assert await house.count() == 2


async def test_only_for_a_role(house, admin, said):
    role = house.guild.create_role("artists")
    artist = house.guild.add_member(house.env.create_user("dora"), roles=[role])
    await house.ask_plain("settings role", admin, role=role)
    assert "Easel is for" in said(await house.ask())
    await house.ask(member=artist)
    assert await house.count() == 1


async def test_jobs_under_way_are_counted(house, admin, said):
    await house.ask_plain("settings limits", admin, max_jobs=1)
    await house.ask()
    assert "this server allows 1" in said(await house.ask())
    await house.ask(member=house.bob)
    assert await house.count() == 2


async def test_a_dry_run(house, admin):
    other = house.guild.create_text_channel("art")
    await house.ask_plain("settings channel", admin, channel=other)
    here = await admin.slash(house.channel, "settings try", member=house.alice)
    there = await admin.slash(house.channel, "settings try", member=house.alice, channel=other)
    assert here.response.content.startswith("No.")
    assert there.response.content.startswith("Yes:")
    assert await house.count() == 0


async def test_changes_are_recorded_and_taken_back(house, admin):
    await house.ask_plain("settings limits", admin, max_steps=30)
    await house.ask_plain("settings limits", admin, max_steps=50)
    shown = await house.ask_plain("settings show", admin)
    assert f"{admin.mention} max_steps: `30` → `50`" in shown.response.content
    back = await house.ask_plain("settings undo", admin, what="last change")
    assert "Steps: at most 30" in back.response.content
    none = await house.ask_plain("settings undo", admin, what="everything")
    assert "Steps: as the host allows" in none.response.content


async def test_direct_messages_have_no_server_rules(house, admin):
    await house.ask_plain("settings limits", admin, max_steps=5)
    await house.alice.user.slash("img2img", image=("a.png", png()))
    assert await house.count() == 1
