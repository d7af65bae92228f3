"""Reports, held results and the moderators who decide."""

from __future__ import annotations

import dataclasses

import discord
import pytest
import simcord

from tests.doubles.cards import press
from tests.doubles.images import png


@pytest.fixture
def moderator(easel):
    role = easel.guild.create_role("mod", permissions=discord.Permissions(manage_messages=True))
    return easel.guild.add_member(easel.env.create_user("erin"), roles=[role])


@pytest.fixture
async def held(easel):
    """A result that waits for a moderator."""
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"nsfw_ordinary": "hold"})
    result = await easel.ask(prompt="a cat")
    easel.detector.scores = [0.95]
    await easel.finish()
    return result


@pytest.fixture
async def shown(easel):
    """A result that everybody sees."""
    result = await easel.ask(prompt="a cat")
    await easel.finish()
    return result


async def report(easel, result, reason="", member=None):
    form = await press(member or easel.bob, result.response, label="Report")
    return await (member or easel.bob).submit_modal(form, {"reason": reason})


def said(result):
    return (result.followups or [result.response])[-1].content


async def test_members_do_not_see_the_queue(easel):
    with pytest.raises(simcord.SetupError):
        await easel.ask_plain("moderation list")


async def test_nothing_waits(easel, moderator):
    result = await easel.ask_plain("moderation list", moderator)
    assert result.ephemeral
    assert said(result) == "Nothing waits for a moderator."


async def test_a_report_comes_to_the_queue_once(easel, moderator, shown):
    thanks = await report(easel, shown, "it *hurts*")
    assert thanks.ephemeral
    assert "Thank you" in said(thanks)
    assert "already" in said(await report(easel, shown))
    listed = said(await easel.ask_plain("moderation list", moderator))
    assert f"reported by {easel.bob.mention}" in listed
    assert "`it *hurts*`" in listed
    assert f"for {easel.alice.mention}" in listed
    assert len(shown.response.attachments) == 1


@pytest.fixture
async def hidden(easel):
    """A result in a channel that only some members see, reported."""
    role = easel.guild.create_role("inner circle")
    for name in ("frank", "gina"):
        setattr(easel, name, easel.guild.add_member(easel.env.create_user(name), roles=[role]))
    easel.channel = easel.guild.create_text_channel(
        "hidden",
        overwrites={
            easel.guild.default_role: discord.PermissionOverwrite(view_channel=False),
            role: discord.PermissionOverwrite(view_channel=True),
        },
    )
    result = await easel.ask(prompt="a secret cat", member=easel.frank)
    await easel.finish()
    await report(easel, result, member=easel.gina)
    return result


async def test_a_moderator_of_another_channel_decides_nothing(easel, hidden, moderator):
    open_channel = easel.guild.create_text_channel("open")
    listed = await moderator.slash(open_channel, "moderation list")
    assert said(listed) == "Nothing waits for a moderator."
    for verb in ("show", "release", "delete"):
        refused = await moderator.slash(open_channel, f"moderation {verb}", case=1)
        assert "in the channel of a result" in said(refused), verb
    (record,) = await easel.jobs.reader.list_by_owner(str(easel.frank.id))
    refused = await moderator.slash(open_channel, "delete", job=record.id)
    assert "Only they and moderators may delete it" in said(refused)
    assert len(hidden.response.attachments) == 1
    assert await easel.blobs.exists(record.result["pictures"][0]["key"])


async def test_a_picture_that_another_job_needs_stays(easel, moderator, shown):
    record = await easel.only_job()
    await report(easel, shown)
    await press(easel.alice, shown.response, label="Upscale 2×")
    await easel.ask_plain("moderation delete", moderator, case=1)
    assert shown.response.attachments == []
    assert await easel.blobs.exists(record.result["pictures"][0]["key"])


async def test_every_post_made_from_a_result_goes_with_it(easel, moderator):
    result = await easel.ask(prompt="a cat", batch=2)
    await easel.finish(images=2)
    await report(easel, result)
    singles = [await press(easel.alice, result.response, label=label) for label in ("U1", "U2")]
    posts = [(single.followups or [single.response])[-1].id for single in singles]
    assert set(posts) <= {message.id for message in easel.messages()}
    await easel.restart()

    await easel.ask_plain("moderation delete", moderator, case=1)

    assert not {message.id for message in easel.messages()} & set(posts)
    assert result.response.attachments == []


async def test_a_report_is_told_to_the_log_channel(easel, shown):
    log = easel.guild.create_text_channel("log")
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"log_channel": str(log.id)})
    await report(easel, shown, "why")
    told = log.history()[-1].content
    assert f"{easel.bob.mention} reported" in told
    assert f"/{easel.channel.id}/{shown.response.id}" in told


async def test_the_report_button_works_after_a_restart(easel, moderator, shown):
    await easel.restart()
    await report(easel, shown)
    assert "`#1`" in said(await easel.ask_plain("moderation list", moderator))


async def test_a_held_result_is_released(easel, moderator, held):
    assert held.response.attachments == []
    listed = said(await easel.ask_plain("moderation list", moderator))
    assert "held by the check" in listed
    released = await easel.ask_plain("moderation release", moderator, case=1)
    assert "Released" in said(released)
    assert len(easel.messages()[-1].attachments) == 1
    assert "Nothing waits" in said(await easel.ask_plain("moderation list", moderator))


async def test_a_case_is_shown_hidden_and_to_the_moderator_alone(easel, moderator, held):
    result = await easel.ask_plain("moderation show", moderator, case=1)
    assert result.ephemeral
    assert "`a cat`" in said(result)
    (file,) = result.response.attachments
    assert file.filename.startswith("SPOILER_")


@pytest.mark.parametrize(("label", "words"), [("Release", "Released"), ("Delete", "Deleted")])
async def test_the_buttons_under_a_case_decide_it(easel, moderator, held, label, words):
    result = await easel.ask_plain("moderation show", moderator, case=1)
    await press(moderator, result.response, label=label)
    assert words in result.response.content
    again = await easel.ask_plain("moderation release", moderator, case=1)
    assert "no open case" in said(again)
    shown = len(easel.messages()[-1].attachments)
    assert shown == (1 if label == "Release" else 0)


async def test_a_reported_result_is_deleted_from_message_and_store(easel, moderator, shown):
    await report(easel, shown)
    record = await easel.only_job()
    (key,) = [image["key"] for image in record.result["pictures"]]
    deleted = await easel.ask_plain("moderation delete", moderator, case=1)
    assert "from its message and the store" in said(deleted)
    assert "🗑️ This result is gone" in easel.messages()[-1].content
    assert easel.messages()[-1].attachments == []
    assert not await easel.blobs.exists(key)
    outgoing = await easel.services.message_builder.build_message(record, 10**6)
    assert outgoing.uploads == ()


async def test_the_copy_to_show_goes_with_its_picture(easel, moderator):
    shown = await easel.ask()
    await easel.finish(copy=png((8, 8)))
    await report(easel, shown)
    (image,) = (await easel.only_job()).result["pictures"]
    assert await easel.blobs.exists(image["copy"]["key"])

    await easel.ask_plain("moderation delete", moderator, case=1)

    assert not await easel.blobs.exists(image["copy"]["key"])


async def test_a_dismissed_report_changes_nothing(easel, moderator, shown):
    await report(easel, shown)
    await report(easel, shown, member=moderator)
    await easel.ask_plain("moderation release", moderator, case=2)
    assert "Nothing waits" in said(await easel.ask_plain("moderation list", moderator))
    assert len(easel.messages()[-1].attachments) == 1


async def test_a_message_that_is_gone_does_not_stop_the_decision(easel, moderator, held):
    easel.env.backend.delete_message(easel.channel.id, held.response.id)
    released = await easel.ask_plain("moderation release", moderator, case=1)
    assert "Released" in said(released)


async def test_who_lost_the_right_cannot_press(easel, moderator, held):
    result = await easel.ask_plain("moderation show", moderator, case=1)
    (role,) = easel.env.backend.get_member(easel.guild.id, moderator.id).role_ids
    easel.env.backend.remove_member_role(easel.guild.id, moderator.id, role)
    refused = await press(moderator, result.response, label="Release")
    assert "Only who may manage messages" in said(refused)
    assert easel.messages()[-1].attachments == []


async def test_cases_are_completed(easel, moderator, held):
    choices = await moderator.autocomplete(easel.channel, "moderation show", "case", "")
    assert [(c["name"], c["value"]) for c in choices] == [("#1 held img2img", 1)]


async def test_another_servers_case_is_not_there(easel, held):
    with pytest.raises(Exception, match="no open case"):
        await easel.services.cases.find_case("1", 1)


async def test_results_in_direct_messages_have_no_report_button(easel):
    await easel.alice.user.slash("imagine", prompt="a cat")
    await easel.finish()
    (record,) = await easel.jobs.reader.list_by_owner(str(easel.alice.id))
    elsewhere = dataclasses.replace(record, guild="10001")
    assert [offers_report(easel, job) for job in (record, elsewhere)] == [False, True]


def offers_report(easel, record) -> bool:
    rows = [row.to_component_dict() for row in easel.services.layouts.rows_for_ended(record)]
    return "report" in str(rows)


async def test_a_forgotten_member_leaves_no_report(easel, moderator, shown):
    await report(easel, shown)
    await easel.ask_plain("privacy forget", easel.bob, sure="yes, delete all of it")
    assert "Nothing waits" in said(await easel.ask_plain("moderation list", moderator))
