from __future__ import annotations

import discord
import pytest

from storage.records import JobState
from tests.doubles.cards import control_rows, labels, press


async def done(easel, kind="img2img", **options):
    result = await easel.ask(kind, **options)
    await easel.finish()
    return result


async def test_again_makes_a_child_with_a_new_seed_from_the_same_picture(easel):
    result = await done(easel, prompt="a red apple", seed=5, steps=9)
    parent = await easel.only_job()
    pressed = await press(easel.alice, result.response, label="Again")
    child = await easel.jobs.reader.get_job(easel.service.job.job_id)
    assert (child.parent, child.inputs, child.params["steps"]) == (parent.id, parent.inputs, 9)
    assert child.params["seed"] not in (-1, 5)
    await easel.finish(colour="green")
    assert len(pressed.response.attachments) == 1
    assert len(result.response.attachments) == 1
    assert len(easel.messages()) == 2


async def test_again_when_the_queue_is_full_says_so_to_the_member_alone(easel):
    result = await done(easel)
    easel.service.ready = False
    for _ in range(3):
        await easel.ask()
    pressed = await press(easel.alice, result.response, label="Again")
    (refusal,) = pressed.followups
    assert refusal.ephemeral
    assert "3 waiting jobs" in refusal.content
    assert len(easel.messages()) == 4
    assert len(result.response.attachments) == 1


async def delete(member, message):
    """Delete a result, and say yes."""
    asked = await press(member, message, label="Delete")
    assert asked.ephemeral
    return await press(member, asked.response, label="Delete for good")


async def test_delete_asks_once_in_red_and_takes_the_message_away(easel):
    result = await done(easel)
    asked = await press(easel.alice, result.response, label="Delete")
    assert len(easel.messages()) == 1
    assert asked.response.content == "Delete this result for good?"
    ((button,),) = control_rows(asked.response)
    assert (button["label"], button["style"]) == (
        "Delete for good",
        discord.ButtonStyle.danger.value,
    )
    await easel.restart()
    await press(easel.alice, asked.response, label="Delete for good")
    assert easel.messages() == []
    assert (await easel.only_job()).state is JobState.DONE
    assert asked.response.content == "Deleted."
    assert labels(asked.response) == []


async def test_deleting_what_is_gone_already_says_so_as_well(easel):
    result = await done(easel)
    asked = await press(easel.alice, result.response, label="Delete")
    easel.env.backend.delete_message(easel.channel.id, result.response.id)
    await press(easel.alice, asked.response, label="Delete for good")
    assert asked.response.content == "Deleted."


async def test_what_made_no_picture_is_deleted_unasked(easel):
    cancelled = await easel.ask()
    await press(easel.alice, cancelled.response, label="Cancel")
    await press(easel.alice, cancelled.response, label="Delete")
    described = await easel.ask("interrogate")
    await easel.finish(images=0, text="a red apple")
    await press(easel.alice, described.response, label="Delete")
    assert easel.messages() == []


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("Again", "Ask for one of your own with a command."),
        ("Delete", "Only they and moderators may delete it."),
    ],
)
async def test_somebody_elses_result(easel, label, words):
    result = await done(easel)
    pressed = await press(easel.bob, result.response, label=label)
    assert pressed.ephemeral
    assert pressed.response.content == f"That is {easel.alice.mention}'s. {words}"
    assert len(easel.messages()) == 1
    assert await easel.count() == 1


async def test_a_moderator_may_delete_and_cancel(easel):
    role = easel.guild.create_role("mod", permissions=discord.Permissions(manage_messages=True))
    carol = easel.guild.add_member(easel.env.create_user("carol"), roles=[role])
    result = await done(easel)
    await delete(carol, result.response)
    assert easel.messages() == []
    waiting = await easel.ask()
    await press(carol, waiting.response, label="Cancel")
    assert "Cancelled." in waiting.response.content


async def test_cancel_while_waiting(easel):
    easel.service.ready = False
    result = await easel.ask()
    assert labels(result.response) == ["Cancel"]
    await press(easel.alice, result.response, label="Cancel")
    assert (await easel.only_job()).state is JobState.CANCELLED
    assert result.response.content.endswith("Cancelled.")
    assert "Cancel" not in labels(result.response)


async def test_cancel_while_running_frees_the_worker(easel):
    result = await easel.ask()
    await press(easel.alice, result.response, label="Cancel")
    record = await easel.only_job()
    assert record.state is JobState.CANCELLED
    assert easel.service.cancelled == [record.id]
    assert easel.service.held == {}
    assert result.response.content.endswith("Cancelled.")


async def test_cancel_of_somebody_elses_job(easel):
    result = await easel.ask()
    pressed = await press(easel.bob, result.response, label="Cancel")
    assert pressed.ephemeral
    assert "Only they and moderators may cancel it." in pressed.response.content
    assert (await easel.only_job()).state is JobState.RUNNING


async def test_cancel_pressed_when_the_job_has_just_ended(easel):
    result = await easel.ask()
    easel.env.inject_error("PATCH", "/webhooks/*", status=500, times=1)
    await easel.finish()  # the card still shows Cancel: its edit did not get through
    pressed = await press(easel.alice, result.response, label="Cancel")
    assert pressed.ephemeral
    assert pressed.response.content == "That img2img is already done."


async def test_buttons_live_on_after_a_restart(easel):
    result = await done(easel, seed=5)
    waiting = await easel.ask()
    await easel.restart()
    await press(easel.alice, result.response, label="Again")
    assert len(await easel.jobs.reader.list_outstanding()) == 2
    await press(easel.alice, waiting.response, label="Cancel")
    assert len(await easel.jobs.reader.list_outstanding()) == 1
    await delete(easel.alice, result.response)
    assert result.response is None


async def test_a_job_that_is_forgotten(easel):
    result = await done(easel)
    await easel.jobs.retention.forget_owner(str(easel.alice.id))
    pressed = await press(easel.alice, result.response, label="Again")
    assert pressed.ephemeral
    assert "no longer stored" in pressed.response.content


async def test_a_job_whose_picture_is_swept_away(easel):
    result = await done(easel)
    record = await easel.only_job()
    await easel.blobs.delete_blob(record.inputs["image"])
    pressed = await press(easel.alice, result.response, label="Again")
    assert pressed.ephemeral
    assert "Send it again" in pressed.response.content
    assert len(easel.messages()) == 1
