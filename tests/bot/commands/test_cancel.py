from __future__ import annotations

import pytest

from bot.i18n import translate, use_language
from storage.records import JobState
from tests.doubles.cards import press


async def test_nothing_to_cancel(easel):
    result = await easel.ask_plain("cancel")
    assert result.ephemeral
    assert result.response.content == "Nothing of yours is waiting or running."


async def test_the_only_job(easel):
    card = await easel.ask()
    result = await easel.ask_plain("cancel")
    record = await easel.only_job()
    assert record.state is JobState.CANCELLED
    assert result.response.content == f"Cancelled img2img `…{record.id[-4:]}`."
    assert card.response.content.endswith("Cancelled.")


async def test_which_of_several(easel):
    await easel.ask()
    await easel.ask("upscale")
    result = await easel.ask_plain("cancel")
    assert "You have 2 jobs." in result.response.content
    choices = await easel.alice.autocomplete(easel.channel, "cancel", "job", "upsc")
    (choice,) = choices
    await easel.ask_plain("cancel", job=choice["value"])
    (left,) = await easel.jobs.reader.list_outstanding()
    assert left.kind == "img2img"


async def test_all_of_them(easel):
    await easel.ask()
    await easel.ask()
    await easel.ask(member=easel.bob)
    await easel.ask_plain("cancel", job="all")
    (left,) = await easel.jobs.reader.list_outstanding()
    assert str(easel.bob.id) == left.owner


@pytest.mark.parametrize("written", ["all of them", "All of them", "“all of them”", "alle", "all"])
async def test_all_of_them_as_the_guide_and_discord_write_it(easel, written):
    await easel.ask()
    await easel.ask()
    with use_language("de"):
        written = translate("all of them") if written == "alle" else written
    await easel.ask_plain("cancel", job=written)
    assert await easel.jobs.reader.list_outstanding() == []


async def test_a_job_by_the_end_of_its_id(easel):
    await easel.ask()
    record = await easel.only_job()
    await easel.ask_plain("cancel", job=f"…{record.id[-4:]}")
    assert (await easel.only_job()).state is JobState.CANCELLED


@pytest.mark.parametrize("job", ["nonsense", "0" * 20])
async def test_no_such_job(easel, job):
    await easel.ask()
    result = await easel.ask_plain("cancel", job=job)
    assert f"called “{job}”" in result.response.content
    assert len(await easel.jobs.reader.list_outstanding()) == 1


async def test_somebody_elses_job_by_its_id(easel):
    await easel.ask()
    record = await easel.only_job()
    await easel.ask_plain("cancel", member=easel.bob, job=record.id)
    assert (await easel.only_job()).state is JobState.RUNNING


@pytest.mark.parametrize("way", ["button", "command"])
async def test_a_running_loopback_shows_its_frames_so_far(easel, way):
    card = await easel.ask("loopback", prompt="a fox")
    record = await easel.only_job()
    if way == "button":
        result = await press(easel.alice, card.response, label="Cancel")
        said = result.followups[0].content
    else:
        said = (await easel.ask_plain("cancel")).response.content
    assert f"Stopping loopback `…{record.id[-4:]}`" in said

    await easel.finish(images=4, role="frame", notes=("Stopped after 3 of 4 loops.",))

    shown = card.response
    assert "Stopped after 3 of 4 loops." in shown.content
    assert len(shown.attachments) == 4
    assert (await easel.only_job()).state is JobState.DONE


async def test_a_loopback_cancelled_before_its_first_frame(easel):
    card = await easel.ask("loopback", prompt="a fox")
    record = await easel.only_job()
    await easel.ask_plain("cancel")
    await easel.service.cancel_job(easel.service.worker, record.id, record.attempt)
    await easel.env.settle()
    assert card.response.content.endswith("Cancelled.")
    assert (await easel.only_job()).state is JobState.CANCELLED
