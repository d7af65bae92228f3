"""A mask picked on the grid, from the command to the repainted picture."""

from __future__ import annotations

from unittest.mock import AsyncMock

import discord
import pytest

from bot.views.mask_grid import CellSelect
from tests.doubles.images import png

THINGS = ["Subject", "Background", "Face"]


def labels(message) -> list[str]:
    rows = [item for row in message.components for item in row["components"]]
    return [item["label"] if "label" in item else item["placeholder"] for item in rows]


def select_of(message) -> dict:
    return next(
        item for row in message.components for item in row["components"] if "options" in item
    )


async def job_of(house):
    return await house.jobs.reader.get_job(house.service.job.job_id)


async def grid(house):
    result = await house.ask_plain("mask grid", image=("photo.png", png()))
    await house.finish()
    return result


async def preview(house, cells=("B2", "C2")):
    result = await grid(house)
    await house.alice.select(result.response, list(cells))
    await house.finish(notes=("8% of the picture would be repainted.",))
    return result


async def test_the_grid_offers_its_cells(house):
    result = await grid(house)
    assert labels(result.response) == ["Pick the cells to repaint", *THINGS, "Delete"]
    values = [option["value"] for option in select_of(result.response)["options"]]
    assert (len(values), values[:2], values[-1]) == (25, ["A1", "B1"], "E5")
    assert (await house.only_job()).params["show"] == "grid"


async def test_cells_become_a_preview_in_the_same_message(house):
    result = await grid(house)
    await house.alice.select(result.response, ["C3", "B2"])
    job = await job_of(house)
    assert (job.kind, job.params["show"], job.params["mask_shape"]) == (
        "preview",
        "mask",
        "B2 + C3",
    )
    assert labels(result.response) == ["Cancel"]
    await house.finish(colour="green", notes=("8% of the picture would be repainted.",))
    assert len(house.messages()) == 1
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


async def test_the_choice_can_be_changed_and_turned_round(house):
    result = await preview(house)
    await house.alice.select(result.response, ["E5"])
    assert (await job_of(house)).params["mask_shape"] == "E5"
    await house.finish()
    await house.alice.click(result.response, label="Swap inside and outside")
    assert (await job_of(house)).params["mask_mode"] == "not masked"
    await house.finish()
    await house.alice.click(result.response, label="Swap inside and outside")
    assert (await job_of(house)).params["mask_mode"] == "masked"
    assert len(house.messages()) == 1


@pytest.mark.parametrize("thing", ["Subject", "Background", "Face"])
async def test_what_is_in_the_picture_is_one_click(house, thing):
    result = await grid(house)
    await house.alice.click(result.response, label=thing)
    job = await job_of(house)
    assert ("preview", thing.lower()) == (job.kind, job.params["mask_shape"])
    await house.finish()
    assert len(house.messages()) == 1
    others = [one for one in THINGS if one != thing]
    assert labels(result.response) == [
        "Go",
        "Swap inside and outside",
        "Delete",
        "Pick the cells to repaint",
        *others,
    ]
    shown = await house.alice.click(result.response, label="Go")
    await house.alice.submit_modal(shown, {"prompt": "a beach"})
    assert (await job_of(house)).params["mask_shape"] == thing.lower()


async def test_what_is_not_found_leaves_the_other_ways(house):
    result = await grid(house)
    await house.alice.click(result.response, label="Face")
    house.service.fail("No face was found in the picture.")
    await house.env.settle()
    assert "No face was found" in result.response.content
    assert labels(result.response) == ["Pick the cells to repaint", *THINGS, "Delete"]
    await house.alice.select(result.response, ["A1"])
    assert (await job_of(house)).params["mask_shape"] == "A1"


async def test_masks_in_words_are_offered(house):
    offered = await house.alice.autocomplete(house.channel, "inpaint", "mask_shape", "fa")
    assert [choice["value"] for choice in offered] == ["face", "all - face"]


async def test_go_asks_for_words_and_repaints_there(house):
    result = await preview(house)
    shown = await house.alice.click(result.response, label="Go")
    answer = await house.alice.submit_modal(shown, {"prompt": "a hat", "strength": "0.9"})
    job = await job_of(house)
    assert (job.kind, job.params["mask_shape"], job.params["prompt"], job.params["strength"]) == (
        "inpaint",
        "B2 + C2",
        "a hat",
        0.9,
    )
    await house.finish()
    assert len(answer.response.attachments) == 1
    assert len(house.messages()) == 2


async def test_a_result_leads_to_the_grid(house):
    result = await house.ask()
    await house.finish()
    record = await house.only_job()
    await house.alice.click(result.response, label="Inpaint")
    job = await job_of(house)
    assert (job.kind, job.params["show"], job.parent) == ("preview", "grid", record.id)
    assert job.inputs == {"image": record.result["pictures"][0]["key"]}


async def test_an_uploaded_mask_goes_along(house):
    mask = ("mask.png", png(colour="white"))
    result = await house.ask("preview", mask=mask)
    await house.finish()
    assert labels(result.response) == ["Go", "Swap inside and outside", "Delete"]
    shown = await house.alice.click(result.response, label="Go")
    await house.alice.submit_modal(shown, {"prompt": "a hat"})
    assert set(house.service.job.inputs) == {"image", "mask"}


async def test_words_that_mark_nothing_say_so(house):
    result = await house.ask("preview", mask_shape="the hat")
    house.service.fail("There is no shape “the hat”.")
    await house.env.settle()
    assert "There is no shape" in result.response.content


@pytest.mark.parametrize("do", ["select", "Go", "Swap inside and outside"])
async def test_it_is_mine_alone(house, do):
    result = await preview(house)
    if do == "select":
        pressed = await house.bob.select(result.response, ["A1"])
    else:
        pressed = await house.bob.click(result.response, label=do)
    refused = pressed.response or pressed.followups[0]
    assert refused.ephemeral
    assert "Ask for one of your own" in refused.content
    assert await house.count() == 2


async def test_a_select_of_no_cells_is_said(house):
    await grid(house)
    record = await house.only_job()
    interaction = AsyncMock(spec=discord.Interaction, client=house.bot, user=house.alice)
    interaction.response = AsyncMock(spec=discord.InteractionResponse)
    interaction.response.is_done = lambda: False
    await CellSelect(record.id).callback(interaction)
    said = interaction.response.send_message.await_args
    assert said.args == ("Pick at least one cell.",)
    assert said.kwargs["ephemeral"]
    assert await house.count() == 1


async def test_it_lives_on_after_a_restart(house):
    result = await grid(house)
    await house.restart()
    await house.alice.select(result.response, ["A1"])
    await house.finish()
    await house.restart()
    shown = await house.alice.click(result.response, label="Go")
    await house.alice.submit_modal(shown, {"prompt": "a hat"})
    assert (await job_of(house)).params["mask_shape"] == "A1"


async def test_a_full_queue_leaves_the_grid_as_it_was(house):
    result = await grid(house)
    house.service.ready = False
    for _ in range(3):
        await house.ask()
    picked = await house.alice.select(result.response, ["A1"])
    refusal = (picked.followups or [picked.response])[0]
    assert refusal.ephemeral
    assert "3 waiting jobs" in refusal.content
    assert labels(result.response) == ["Pick the cells to repaint", *THINGS, "Delete"]
