"""Results for the member alone: in no way for anybody else, however late they come."""

from __future__ import annotations

import pytest

from bot.requests.reply_target import ReplyTarget
from storage.records import DeliveryState
from tests.doubles.images import png


@pytest.fixture(autouse=True)
async def private(house):
    await house.guilds.change_settings(str(house.guild.id), "1", {"visibility": "private"})


async def test_a_result_is_for_its_member_alone(house):
    result = await house.ask(prompt="a cat")
    assert result.ephemeral
    await house.finish()
    assert len(result.response.attachments) == 1
    assert house.messages() == []


async def test_what_a_button_makes_is_private_too(house):
    result = await house.ask(prompt="a cat")
    await house.finish()
    again = await house.alice.click(result.response, label="Again")
    assert again.ephemeral
    await house.finish()
    assert len(again.response.attachments) == 1
    assert house.messages() == []


async def test_one_that_comes_too_late_waits_in_the_outbox(house):
    await house.ask(prompt="a cat")
    await house.env.advance_time(901)
    await house.finish()
    assert house.messages() == []
    record = await house.only_job()
    assert record.delivery is DeliveryState.UNDELIVERED
    assert "for you alone" in record.delivery_note
    queue = await house.ask_plain("queue")
    shown = await house.alice.click(queue.response, label=f"Show img2img …{record.id[-4:]}")
    assert shown.ephemeral
    assert len(shown.response.attachments) == 1
    assert house.messages() == []


async def test_it_stays_private_when_the_setting_is_taken_back(house):
    await house.ask(prompt="a cat")
    await house.env.advance_time(901)
    await house.finish()
    await house.guilds.change_settings(str(house.guild.id), "1", {"visibility": None})
    record = await house.only_job()
    queue = await house.ask_plain("queue")
    shown = await house.alice.click(queue.response, label=f"Show img2img …{record.id[-4:]}")
    assert shown.ephemeral


async def test_a_reply_is_refused_with_the_way_round(house):
    words = f"<@{house.bot.user.id}> make it red"
    await house.alice.send(house.channel, words, attachments=[("a.png", png())])
    assert "which a reply cannot be" in house.messages()[-1].content
    assert await house.count() == 0


async def test_a_refusal_leaves_no_half_answer(house):
    result = await house.ask(image=("a.png", b"no picture"))
    assert "is not a picture" in (result.followups or [result.response])[-1].content
    assert house.messages() == []


async def test_a_public_server_knows_nothing_of_it(house):
    await house.guilds.change_settings(str(house.guild.id), "1", {"visibility": None})
    result = await house.ask(prompt="a cat")
    assert not result.ephemeral
    assert not ReplyTarget.from_json((await house.only_job()).reply_to).private
