"""A mask picked on the grid, from the command to the repainted picture."""

from __future__ import annotations

from unittest.mock import AsyncMock

import discord
import pytest

from bot.views.mask_grid import CellSelect
from inference.api.notices import Notice
from tests.doubles.cards import labels, press, walk_parts
from tests.doubles.images import png

THINGS = ["Subject", "Background", "Face"]


def select_of(message) -> dict:
    return next(part for part in walk_parts(message.components) if "options" in part)


async def job_of(easel):
    return await easel.jobs.reader.get_job(easel.service.job.job_id)


async def grid(easel):
    result = await easel.ask_plain("mask grid", image=("photo.png", png()))
    await easel.finish()
    return result


async def preview(easel, cells=("B2", "C2")):
    result = await grid(easel)
    await easel.alice.select(result.response, list(cells))
    await easel.finish(notes=("8% of the picture would be repainted.",))
    return result


async def test_the_grid_offers_its_cells(easel):
    result = await grid(easel)
    assert labels(result.response) == ["Pick the cells to repaint", *THINGS, "Delete"]
    values = [option["value"] for option in select_of(result.response)["options"]]
    assert (len(values), values[:2], values[-1]) == (25, ["A1", "B1"], "E5")
    assert (await easel.only_job()).params["show"] == "grid"


async def test_cells_become_a_preview_in_the_same_message(easel):
    result = await grid(easel)
    await easel.alice.select(result.response, ["C3", "B2"])
    job = await job_of(easel)
    assert (job.kind, job.params["show"], job.params["mask_shape"]) == (
        "preview",
        "mask",
        "B2 + C3",
    )
    assert labels(result.response) == ["Cancel"]
    await easel.finish(colour="green", notes=("8% of the picture would be repainted.",))
    assert len(easel.messages()) == 1
    assert "8% of the picture" in result.response.content
    assert labels(result.response) == [
        "Go",
        "Swap inside and outside",
        "Delete",
        "Pick the cells to repaint",
        *THINGS,
    ]
    chosen = [o["value"] for o in select_of(result.response)["options"] if o.get("default")]
    assert chosen == ["B2", "C3"]
    assert len(result.response.attachments) == 1


async def test_the_choice_can_be_changed_and_turned_round(easel):
    result = await preview(easel)
    await easel.alice.select(result.response, ["E5"])
    assert (await job_of(easel)).params["mask_shape"] == "E5"
    await easel.finish()
    await press(easel.alice, result.response, label="Swap inside and outside")
    assert (await job_of(easel)).params["mask_mode"] == "not masked"
    await easel.finish()
    await press(easel.alice, result.response, label="Swap inside and outside")
    assert (await job_of(easel)).params["mask_mode"] == "masked"
    assert len(easel.messages()) == 1


@pytest.mark.parametrize("thing", ["Subject", "Background", "Face"])
async def test_what_is_in_the_picture_is_one_click(easel, thing):
    result = await grid(easel)
    await press(easel.alice, result.response, label=thing)
    job = await job_of(easel)
    assert ("preview", thing.lower()) == (job.kind, job.params["mask_shape"])
    await easel.finish()
    assert len(easel.messages()) == 1
    others = [one for one in THINGS if one != thing]
    assert labels(result.response) == [
        "Go",
        "Swap inside and outside",
        "Delete",
        "Pick the cells to repaint",
        *others,
    ]
    shown = await press(easel.alice, result.response, label="Go")
    await easel.alice.submit_modal(shown, {"prompt": "a beach"})
    assert (await job_of(easel)).params["mask_shape"] == thing.lower()


async def test_what_is_not_found_leaves_the_choice_and_the_other_ways(easel):
    result = await preview(easel)
    before = (result.response.content, labels(result.response))
    clicked = await press(easel.alice, result.response, label="Face")
    easel.service.fail(Notice("mask.not_found", name="face"))
    await easel.env.settle()
    (reason,) = clicked.followups
    assert reason.ephemeral
    assert "No face was found" in reason.content
    assert (result.response.content, labels(result.response)) == before
    assert len(result.response.attachments) == 1
    chosen = [o["value"] for o in select_of(result.response)["options"] if o.get("default")]
    assert chosen == ["B2", "C2"]
    await easel.alice.select(result.response, ["A1"])
    assert (await job_of(easel)).params["mask_shape"] == "A1"


async def test_a_try_called_off_leaves_the_choice(easel):
    result = await preview(easel)
    before = (result.response.content, labels(result.response))
    await press(easel.alice, result.response, label="Face")
    await press(easel.alice, result.response, label="Cancel")
    await easel.env.settle()
    assert (result.response.content, labels(result.response)) == before


async def test_a_worker_that_breaks_leaves_the_choice(easel):
    result = await preview(easel)
    clicked = await press(easel.alice, result.response, label="Face")
    for _ in range(3):
        easel.service.fail(Notice("job.failed"), "engine")
        await easel.env.settle()
    assert clicked.followups[0].ephemeral
    assert "Go" in labels(result.response)


async def test_what_no_worker_finds_is_not_offered(easel):
    easel.service.models = tuple(m for m in easel.service.models if m.kind != "mask")
    result = await grid(easel)
    assert labels(result.response) == ["Pick the cells to repaint", "Delete"]


async def test_masks_in_words_are_offered(easel):
    offered = await easel.alice.autocomplete(easel.channel, "inpaint", "mask_shape", "fa")
    assert [choice["value"] for choice in offered] == ["face", "all - face"]


async def test_go_asks_for_words_and_repaints_there(easel):
    result = await preview(easel)
    shown = await press(easel.alice, result.response, label="Go")
    answer = await easel.alice.submit_modal(shown, {"prompt": "a hat", "strength": "0.9"})
    job = await job_of(easel)
    assert (job.kind, job.params["mask_shape"], job.params["prompt"], job.params["strength"]) == (
        "inpaint",
        "B2 + C2",
        "a hat",
        0.9,
    )
    await easel.finish()
    assert len(answer.response.attachments) == 1
    assert len(easel.messages()) == 2


async def test_a_result_leads_to_the_grid(easel):
    result = await easel.ask()
    await easel.finish()
    record = await easel.only_job()
    await press(easel.alice, result.response, label="Inpaint")
    job = await job_of(easel)
    assert (job.kind, job.params["show"], job.parent) == ("preview", "grid", record.id)
    assert job.inputs == {"image": record.result["pictures"][0]["key"]}


async def test_an_uploaded_mask_goes_along(easel):
    mask = ("mask.png", png(colour="white"))
    result = await easel.ask("preview", mask=mask)
    await easel.finish()
    assert labels(result.response) == ["Go", "Swap inside and outside", "Delete"]
    shown = await press(easel.alice, result.response, label="Go")
    await easel.alice.submit_modal(shown, {"prompt": "a hat"})
    assert set(easel.service.job.inputs) == {"image", "mask"}


async def test_words_that_mark_nothing_say_so(easel):
    result = await easel.ask("preview", mask_shape="the hat")
    assert result.ephemeral
    assert "There is no shape" in result.response.content


@pytest.mark.parametrize("do", ["select", "Go", "Swap inside and outside"])
async def test_it_is_mine_alone(easel, do):
    result = await preview(easel)
    if do == "select":
        pressed = await easel.bob.select(result.response, ["A1"])
    else:
        pressed = await press(easel.bob, result.response, label=do)
    refused = pressed.response or pressed.followups[0]
    assert refused.ephemeral
    assert "Ask for one of your own" in refused.content
    assert await easel.count() == 2


async def test_a_select_of_no_cells_is_said(easel):
    await grid(easel)
    record = await easel.only_job()
    interaction = AsyncMock(spec=discord.Interaction, client=easel.bot, user=easel.alice)
    interaction.response = AsyncMock(spec=discord.InteractionResponse)
    interaction.response.is_done = lambda: False
    await CellSelect(record.id).callback(interaction)
    said = interaction.response.send_message.await_args
    assert said.args == ("Pick at least one cell.",)
    assert said.kwargs["ephemeral"]
    assert await easel.count() == 1


async def test_it_lives_on_after_a_restart(easel):
    result = await grid(easel)
    await easel.restart()
    await easel.alice.select(result.response, ["A1"])
    await easel.finish()
    await easel.restart()
    shown = await press(easel.alice, result.response, label="Go")
    await easel.alice.submit_modal(shown, {"prompt": "a hat"})
    assert (await job_of(easel)).params["mask_shape"] == "A1"


async def test_a_full_queue_leaves_the_grid_as_it_was(easel):
    result = await grid(easel)
    easel.service.ready = False
    for _ in range(3):
        await easel.ask()
    picked = await easel.alice.select(result.response, ["A1"])
    refusal = (picked.followups or [picked.response])[0]
    assert refusal.ephemeral
    assert "3 waiting jobs" in refusal.content
    assert labels(result.response) == ["Pick the cells to repaint", *THINGS, "Delete"]
