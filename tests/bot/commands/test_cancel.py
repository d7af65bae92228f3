from __future__ import annotations

import pytest

from storage.records import JobState


async def test_nothing_to_cancel(house):
    result = await house.ask_plain("cancel")
    assert result.ephemeral
    assert result.response.content == "Nothing of yours is waiting or running."


async def test_the_only_job(house):
    card = await house.ask()
    result = await house.ask_plain("cancel")
    record = await house.only_job()
    assert record.state is JobState.CANCELLED
    assert result.response.content == f"Cancelled img2img `{record.id}`."
    assert card.response.content.endswith("Cancelled.")


async def test_which_of_several(house):
    await house.ask()
    await house.ask("upscale")
    result = await house.ask_plain("cancel")
    assert "You have 2 jobs." in result.response.content
    choices = await house.alice.autocomplete(house.channel, "cancel", "job", "upsc")
    (choice,) = choices
    await house.ask_plain("cancel", job=choice["value"])
    (left,) = await house.jobs.reader.list_outstanding()
    assert left.kind == "img2img"


async def test_all_of_them(house):
    await house.ask()
    await house.ask()
    await house.ask(member=house.bob)
    await house.ask_plain("cancel", job="all")
    (left,) = await house.jobs.reader.list_outstanding()
    assert str(house.bob.id) == left.owner


@pytest.mark.parametrize("job", ["nonsense", "0" * 20])
async def test_no_such_job(house, job):
    await house.ask()
    result = await house.ask_plain("cancel", job=job)
    assert result.response.content == "Nothing of yours is waiting or running."
    assert len(await house.jobs.reader.list_outstanding()) == 1


async def test_somebody_elses_job_by_its_id(house):
    await house.ask()
    record = await house.only_job()
    await house.ask_plain("cancel", member=house.bob, job=record.id)
    assert (await house.only_job()).state is JobState.RUNNING


@pytest.mark.parametrize("way", ["button", "command"])
async def test_a_running_loopback_shows_its_frames_so_far(house, way):
    card = await house.ask("loopback", prompt="a fox")
    record = await house.only_job()
    if way == "button":
        result = await house.alice.click(card.response, label="Cancel")
        said = result.followups[0].content
    else:
        said = (await house.ask_plain("cancel")).response.content
    assert f"Stopping loopback `{record.id}`" in said

    await house.finish(images=4, role="frame", notes=("Stopped after 3 of 4 loops.",))

    shown = card.response
    assert "Stopped after 3 of 4 loops." in shown.content
    assert len(shown.attachments) == 4
    assert (await house.only_job()).state is JobState.DONE


async def test_a_loopback_cancelled_before_its_first_frame(house):
    card = await house.ask("loopback", prompt="a fox")
    record = await house.only_job()
    await house.ask_plain("cancel")
    await house.service.cancel_job(house.service.worker, record.id, record.attempt)
    await house.env.settle()
    assert card.response.content.endswith("Cancelled.")
    assert (await house.only_job()).state is JobState.CANCELLED
