"""Requests that Discord carried out and whose answer never came, or that never arrived."""

from __future__ import annotations

from unittest.mock import AsyncMock

import aiohttp
import discord
import pytest

from bot.answers import answer_error
from bot.errors import NothingToCancel
from storage.records import DeliveryState, JobState
from tests.bot.delivery.test_delivery import QUARTER_HOUR, results


def lose_answers(monkeypatch, routes, name: str) -> None:
    """Let a way to Discord do its work and then lose the connection."""
    applied = getattr(routes, name)

    async def lossy(*arguments: object, **more: object) -> None:
        await applied(*arguments, **more)
        raise aiohttp.ServerDisconnectedError

    monkeypatch.setattr(routes, name, lossy)


async def test_a_result_in_its_card_is_not_posted_again_when_the_token_is_over(house, monkeypatch):
    card = await house.ask()
    lose_answers(monkeypatch, house.bot.delivery._routes, "edit")
    await house.finish()
    assert (await house.only_job()).delivery is DeliveryState.PENDING

    await house.env.advance_time(QUARTER_HOUR)

    record = await house.only_job()
    assert (DeliveryState.SENT, str(card.response.id)) == (record.delivery, record.message)
    assert 1 == len(results(house))


async def test_a_posted_result_is_found_again(house, monkeypatch):
    await house.ask()
    await house.env.advance_time(QUARTER_HOUR)
    routes = house.bot.delivery._routes
    with monkeypatch.context() as patch:
        lose_answers(patch, routes, "post")
        await house.finish()
    assert (await house.only_job()).delivery is DeliveryState.PENDING

    await house.env.advance_time(QUARTER_HOUR)

    (result,) = results(house)
    record = await house.only_job()
    assert (DeliveryState.SENT, str(result.id)) == (record.delivery, record.message)


async def test_a_place_whose_answer_was_lost_leaves_the_card(house, monkeypatch):
    with monkeypatch.context() as patch:
        lose_answers(patch, house.bot.delivery._routes, "edit_card")
        card = await house.ask()
    assert JobState.RUNNING == (await house.only_job()).state

    await house.finish()

    assert [card.response.id] == [message.id for message in house.messages()]
    assert 1 == len(card.response.attachments)


async def test_progress_whose_answer_was_lost_is_dropped(house, monkeypatch):
    card = await house.ask()
    with monkeypatch.context() as patch:
        lose_answers(patch, house.bot.delivery._routes, "edit_card")
        house.service.progress(5, 20)
        await house.env.settle()

    await house.finish()

    assert 1 == len(card.response.attachments)


async def test_an_old_card_that_cannot_be_changed_repeats_no_result(house, monkeypatch):
    await house.ask()
    await house.env.advance_time(QUARTER_HOUR)
    lose_answers(monkeypatch, house.bot.delivery._routes, "edit_card")

    await house.finish()

    record = await house.only_job()
    assert (DeliveryState.SENT, 1) == (record.delivery, record.deliveries)


@pytest.mark.parametrize(
    "failure", [aiohttp.ServerDisconnectedError(), ConnectionResetError(), TimeoutError()]
)
async def test_a_refusal_that_does_not_get_through_breaks_nothing(failure, caplog):
    interaction = AsyncMock(spec=discord.Interaction)
    interaction.response.is_done = lambda: False
    interaction.response.send_message.side_effect = failure

    await answer_error(interaction, NothingToCancel())

    assert "A refusal could not be shown" in caplog.text
