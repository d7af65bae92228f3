"""Requests that Discord carried out and whose answer never came, or that never arrived."""

from __future__ import annotations

from unittest.mock import AsyncMock

import aiohttp
import discord
import pytest

from bot.errors import NothingToCancel
from bot.messages.error_replies import answer_error
from storage.records import DeliveryState, JobState
from tests.bot.delivery.test_delivery import QUARTER_HOUR, results
from tests.doubles.cards import labels
from tests.doubles.images import png


def lose_answers(monkeypatch, routes, name: str) -> None:
    """Let a way to Discord do its work and then lose the connection."""
    applied = getattr(routes, name)

    async def lossy(*arguments: object, **more: object) -> None:
        await applied(*arguments, **more)
        raise aiohttp.ServerDisconnectedError

    monkeypatch.setattr(routes, name, lossy)


async def test_a_result_in_its_card_is_not_posted_again_when_the_token_is_over(easel, monkeypatch):
    card = await easel.ask()
    lose_answers(monkeypatch, easel.services.delivery.sender, "edit_original")
    await easel.finish()
    assert (await easel.only_job()).delivery is DeliveryState.PENDING

    await easel.env.advance_time(QUARTER_HOUR)

    record = await easel.only_job()
    assert (DeliveryState.SENT, str(card.response.id)) == (record.delivery, record.message)
    assert len(results(easel)) == 1


async def test_a_posted_result_is_found_again(easel, monkeypatch):
    card = await easel.ask()
    await easel.env.advance_time(QUARTER_HOUR)
    routes = easel.services.delivery.sender
    with monkeypatch.context() as patch:
        lose_answers(patch, routes, "post_result")
        await easel.finish()
    assert (await easel.only_job()).delivery is DeliveryState.PENDING

    await easel.env.advance_time(QUARTER_HOUR)

    (result,) = results(easel)
    record = await easel.only_job()
    assert (DeliveryState.SENT, str(result.id)) == (record.delivery, record.message)
    assert result.jump_url in card.response.content
    assert labels(card.response) == []


def lose_first_answers(monkeypatch, name: str) -> None:
    """Let first answers to interactions arrive, and the word of it be lost."""
    applied = getattr(discord.InteractionResponse, name)

    async def lossy(response, *arguments: object, **named: object) -> None:
        await applied(response, *arguments, **named)
        response._response_type = None
        raise aiohttp.ServerDisconnectedError

    monkeypatch.setattr(discord.InteractionResponse, name, lossy)


async def test_a_first_answer_that_arrived_unseen_becomes_the_result(easel, monkeypatch):
    with monkeypatch.context() as patch:
        lose_first_answers(patch, "send_message")
        await easel.ask()
    await easel.finish()
    (message,) = results(easel)
    record = await easel.only_job()
    assert (DeliveryState.SENT, str(message.id)) == (record.delivery, record.message)
    assert len(easel.messages()) == 1


async def test_a_refusal_after_an_answer_that_arrived_unseen(easel, monkeypatch):
    with monkeypatch.context() as patch:
        lose_first_answers(patch, "send_message")
        await easel.ask(image=("a.png", b"no picture at all"))
    assert easel.messages() == []
    assert await easel.count() == 0


async def test_a_deferral_that_arrived_unseen(easel, monkeypatch):
    grid = await easel.ask_plain("mask grid", image=("a.png", png()))
    await easel.finish()
    with monkeypatch.context() as patch:
        lose_first_answers(patch, "defer")
        await easel.alice.select(grid.response, ["A1"])
    assert easel.service.job.params["mask_shape"] == "A1"


async def test_a_first_answer_that_never_arrived_queues_nothing(easel):
    easel.env.inject_error("POST", "/interactions/*", status=500)
    easel.env.inject_error("GET", "/webhooks/*", status=404, code=10015)
    await easel.ask()
    easel.take_errors()
    assert await easel.count() == 0
    assert not [message for message in easel.messages() if "reading" in message.content]


async def test_a_place_whose_answer_was_lost_leaves_the_card(easel, monkeypatch):
    with monkeypatch.context() as patch:
        lose_answers(patch, easel.services.delivery.sender, "edit_status")
        card = await easel.ask()
    assert (await easel.only_job()).state == JobState.RUNNING

    await easel.finish()

    assert [message.id for message in easel.messages()] == [card.response.id]
    assert len(card.response.attachments) == 1


async def test_progress_whose_answer_was_lost_is_dropped(easel, monkeypatch):
    card = await easel.ask()
    with monkeypatch.context() as patch:
        lose_answers(patch, easel.services.delivery.sender, "edit_status")
        easel.service.progress(5, 20)
        await easel.env.settle()

    await easel.finish()

    assert len(card.response.attachments) == 1


async def test_an_old_card_that_cannot_be_changed_repeats_no_result(easel, monkeypatch):
    await easel.ask()
    await easel.env.advance_time(QUARTER_HOUR)
    lose_answers(monkeypatch, easel.services.delivery.sender, "edit_status")

    await easel.finish()

    record = await easel.only_job()
    assert (record.delivery, record.deliveries) == (DeliveryState.SENT, 1)


@pytest.mark.parametrize(
    "failure", [aiohttp.ServerDisconnectedError(), ConnectionResetError(), TimeoutError()]
)
async def test_a_refusal_that_does_not_get_through_breaks_nothing(failure, caplog):
    interaction = AsyncMock(spec=discord.Interaction)
    interaction.response.is_done = lambda: False
    interaction.response.send_message.side_effect = failure

    await answer_error(interaction, NothingToCancel())

    assert "A refusal could not be shown" in caplog.text
