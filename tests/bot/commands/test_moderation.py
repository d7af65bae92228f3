"""Reports, held results and the moderators who decide."""

from __future__ import annotations

import dataclasses

import discord
import pytest
import simcord

from bot import views


@pytest.fixture
def moderator(house):
    role = house.guild.create_role("mod", permissions=discord.Permissions(manage_messages=True))
    return house.guild.add_member(house.env.create_user("erin"), roles=[role])


@pytest.fixture
async def held(house):
    """A result that waits for a moderator."""
    await house.guilds.change_settings(str(house.guild.id), "1", {"nsfw_ordinary": "hold"})
    result = await house.ask(prompt="a cat")
    house.detector.scores = [0.95]
    await house.finish()
    return result


@pytest.fixture
async def shown(house):
    """A result that everybody sees."""
    result = await house.ask(prompt="a cat")
    await house.finish()
    return result


async def report(house, result, reason="", member=None):
    form = await (member or house.bob).click(result.response, label="Report")
    return await (member or house.bob).submit_modal(form, {"reason": reason})


def said(result):
    return (result.followups or [result.response])[-1].content


async def test_members_do_not_see_the_queue(house):
    with pytest.raises(simcord.SetupError):
        await house.ask_plain("moderation list")


async def test_nothing_waits(house, moderator):
    result = await house.ask_plain("moderation list", moderator)
    assert result.ephemeral
    assert said(result) == "Nothing waits for a moderator."


async def test_a_report_comes_to_the_queue_once(house, moderator, shown):
    thanks = await report(house, shown, "it *hurts*")
    assert thanks.ephemeral
    assert "Thank you" in said(thanks)
    assert "already" in said(await report(house, shown))
    listed = said(await house.ask_plain("moderation list", moderator))
    assert f"reported by {house.bob.mention}" in listed
    assert "`it *hurts*`" in listed
    assert f"for {house.alice.mention}" in listed
    assert len(shown.response.attachments) == 1


async def test_a_report_is_told_to_the_log_channel(house, shown):
    log = house.guild.create_text_channel("log")
    await house.guilds.change_settings(str(house.guild.id), "1", {"log_channel": str(log.id)})
    await report(house, shown, "why")
    told = log.history()[-1].content
    assert f"{house.bob.mention} reported" in told
    assert f"/{house.channel.id}/{shown.response.id}" in told


async def test_the_report_button_works_after_a_restart(house, moderator, shown):
    await house.restart()
    await report(house, shown)
    assert "`#1`" in said(await house.ask_plain("moderation list", moderator))


async def test_a_held_result_is_released(house, moderator, held):
    assert held.response.attachments == []
    listed = said(await house.ask_plain("moderation list", moderator))
    assert "held by the check" in listed
    released = await house.ask_plain("moderation release", moderator, case=1)
    assert "Released" in said(released)
    assert len(house.messages()[-1].attachments) == 1
    assert "Nothing waits" in said(await house.ask_plain("moderation list", moderator))


async def test_a_case_is_shown_hidden_and_to_the_moderator_alone(house, moderator, held):
    result = await house.ask_plain("moderation show", moderator, case=1)
    assert result.ephemeral
    assert "`a cat`" in said(result)
    (file,) = result.response.attachments
    assert file.filename.startswith("SPOILER_")


@pytest.mark.parametrize(("label", "words"), [("Release", "Released"), ("Delete", "Deleted")])
async def test_the_buttons_under_a_case_decide_it(house, moderator, held, label, words):
    result = await house.ask_plain("moderation show", moderator, case=1)
    await moderator.click(result.response, label=label)
    assert words in result.response.content
    again = await house.ask_plain("moderation release", moderator, case=1)
    assert "no open case" in said(again)
    shown = len(house.messages()[-1].attachments)
    assert shown == (1 if label == "Release" else 0)


async def test_a_reported_result_is_deleted_from_message_and_store(house, moderator, shown):
    await report(house, shown)
    record = await house.only_job()
    (key,) = [image["key"] for image in record.result["pictures"]]
    deleted = await house.ask_plain("moderation delete", moderator, case=1)
    assert "from its message and the store" in said(deleted)
    assert "🗑️ This result is gone" in house.messages()[-1].content
    assert house.messages()[-1].attachments == []
    assert not await house.blobs.exists(key)
    outgoing = await house.services.message_builder.build_message(record, 10**6)
    assert outgoing.uploads == ()


async def test_a_dismissed_report_changes_nothing(house, moderator, shown):
    await report(house, shown)
    await report(house, shown, member=moderator)
    await house.ask_plain("moderation release", moderator, case=2)
    assert "Nothing waits" in said(await house.ask_plain("moderation list", moderator))
    assert len(house.messages()[-1].attachments) == 1


async def test_a_message_that_is_gone_does_not_stop_the_decision(house, moderator, held):
    house.env.backend.delete_message(house.channel.id, held.response.id)
    released = await house.ask_plain("moderation release", moderator, case=1)
    assert "Released" in said(released)


async def test_who_lost_the_right_cannot_press(house, moderator, held):
    result = await house.ask_plain("moderation show", moderator, case=1)
    (role,) = house.env.backend.get_member(house.guild.id, moderator.id).role_ids
    house.env.backend.remove_member_role(house.guild.id, moderator.id, role)
    refused = await moderator.click(result.response, label="Release")
    assert "Only who may manage messages" in said(refused)
    assert house.messages()[-1].attachments == []


async def test_cases_are_completed(house, moderator, held):
    choices = await moderator.autocomplete(house.channel, "moderation show", "case", "")
    assert [(c["name"], c["value"]) for c in choices] == [("#1 held img2img", 1)]


async def test_another_servers_case_is_not_there(house, held):
    with pytest.raises(Exception, match="no open case"):
        await house.services.cases.find_case("1", 1)


async def test_results_in_direct_messages_have_no_report_button(house):
    await house.alice.user.slash("imagine", prompt="a cat")
    await house.finish()
    (record,) = await house.jobs.reader.list_by_owner(str(house.alice.id))
    assert "Report" not in [item.label for item in views.view_for_ended(record).children]
    elsewhere = dataclasses.replace(record, guild="10001")
    assert "Report" in [item.label for item in views.view_for_ended(elsewhere).children]


async def test_a_forgotten_member_leaves_no_report(house, moderator, shown):
    await report(house, shown)
    await house.ask_plain("privacy forget", house.bob, sure="yes, delete all of it")
    assert "Nothing waits" in said(await house.ask_plain("moderation list", moderator))
