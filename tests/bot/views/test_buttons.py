from __future__ import annotations

import discord
import pytest
import simcord

from storage.records import JobState


async def done(house, kind="img2img", **options):
    result = await house.ask(kind, **options)
    await house.finish()
    return result


def labels(message) -> list[str]:
    return [item["label"] for row in message.components for item in row["components"]]


async def test_again_makes_a_child_with_a_new_seed_from_the_same_picture(house):
    result = await done(house, prompt="a red apple", seed=5, steps=9)
    parent = await house.only_job()
    pressed = await house.alice.click(result.response, label="Again")
    child = await house.jobs.reader.get_job(house.service.job.job_id)
    assert (child.parent, child.inputs, child.params["steps"]) == (parent.id, parent.inputs, 9)
    assert child.params["seed"] not in (-1, 5)
    await house.finish(colour="green")
    assert len(pressed.response.attachments) == 1
    assert len(result.response.attachments) == 1
    assert len(house.messages()) == 2


async def test_again_when_the_queue_is_full_says_so_to_the_member_alone(house):
    result = await done(house)
    house.service.ready = False
    for _ in range(3):
        await house.ask()
    pressed = await house.alice.click(result.response, label="Again")
    (refusal,) = pressed.followups
    assert refusal.ephemeral
    assert "3 waiting jobs" in refusal.content
    assert len(house.messages()) == 4
    assert len(result.response.attachments) == 1


async def test_delete_takes_the_message_away(house):
    result = await done(house)
    await house.alice.click(result.response, label="Delete")
    assert house.messages() == []
    assert (await house.only_job()).state is JobState.DONE


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("Again", "Ask for one of your own with a command."),
        ("Delete", "Only they and moderators may delete it."),
    ],
)
async def test_somebody_elses_result(house, label, words):
    result = await done(house)
    pressed = await house.bob.click(result.response, label=label)
    assert pressed.ephemeral
    assert pressed.response.content == f"That is {house.alice.mention}'s. {words}"
    assert len(house.messages()) == 1
    assert await house.count() == 1


async def test_a_moderator_may_delete_and_cancel(house):
    role = house.guild.create_role("mod", permissions=discord.Permissions(manage_messages=True))
    carol = house.guild.add_member(house.env.create_user("carol"), roles=[role])
    result = await done(house)
    await carol.click(result.response, label="Delete")
    assert house.messages() == []
    waiting = await house.ask()
    await carol.click(waiting.response, label="Cancel")
    assert "Cancelled." in waiting.response.content


async def test_cancel_while_waiting(house):
    house.service.ready = False
    result = await house.ask()
    assert labels(result.response) == ["Cancel"]
    await house.alice.click(result.response, label="Cancel")
    assert (await house.only_job()).state is JobState.CANCELLED
    assert result.response.content.endswith("Cancelled.")
    assert "Cancel" not in labels(result.response)


async def test_cancel_while_running_frees_the_worker(house):
    result = await house.ask()
    await house.alice.click(result.response, label="Cancel")
    record = await house.only_job()
    assert record.state is JobState.CANCELLED
    assert house.service.cancelled == [record.id]
    assert house.service.held == {}
    assert result.response.content.endswith("Cancelled.")


async def test_cancel_of_somebody_elses_job(house):
    result = await house.ask()
    pressed = await house.bob.click(result.response, label="Cancel")
    assert pressed.ephemeral
    assert "Only they and moderators may cancel it." in pressed.response.content
    assert (await house.only_job()).state is JobState.RUNNING


async def test_cancel_pressed_when_the_job_has_just_ended(house):
    result = await house.ask()
    house.env.inject_error("PATCH", "/webhooks/*", status=500, times=1)
    await house.finish()  # the card still shows Cancel: its edit did not get through
    pressed = await house.alice.click(result.response, label="Cancel")
    assert pressed.ephemeral
    assert pressed.response.content == "That img2img is already done."


async def test_buttons_live_on_after_a_restart(house):
    result = await done(house, seed=5)
    waiting = await house.ask()
    await house.restart()
    await house.alice.click(result.response, label="Again")
    assert len(await house.jobs.reader.list_outstanding()) == 2
    await house.alice.click(waiting.response, label="Cancel")
    assert len(await house.jobs.reader.list_outstanding()) == 1
    await house.alice.click(result.response, label="Delete")
    with pytest.raises(simcord.SetupError):
        await house.alice.click(result.response, label="Delete")


async def test_a_job_that_is_forgotten(house):
    result = await done(house)
    await house.jobs.retention.forget_owner(str(house.alice.id))
    pressed = await house.alice.click(result.response, label="Again")
    assert pressed.ephemeral
    assert "no longer stored" in pressed.response.content


async def test_a_job_whose_picture_is_swept_away(house):
    result = await done(house)
    record = await house.only_job()
    await house.blobs.delete_blob(record.inputs["image"])
    pressed = await house.alice.click(result.response, label="Again")
    assert pressed.ephemeral
    assert "Send it again" in pressed.response.content
    assert len(house.messages()) == 1
