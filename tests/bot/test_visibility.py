"""Results for the member alone: in no way for anybody else, however late they come."""

from __future__ import annotations

import pytest

from bot.requests.reply_target import ReplyTarget
from storage.records import DeliveryState
from tests.doubles.cards import press
from tests.doubles.images import png


@pytest.fixture(autouse=True)
async def private(easel):
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"visibility": "private"})


async def test_a_result_is_for_its_member_alone(easel):
    result = await easel.ask(prompt="a cat")
    assert result.ephemeral
    await easel.finish()
    assert len(result.response.attachments) == 1
    assert easel.messages() == []


async def test_what_a_button_makes_is_private_too(easel):
    result = await easel.ask(prompt="a cat")
    await easel.finish()
    again = await press(easel.alice, result.response, label="Again")
    assert again.ephemeral
    await easel.finish()
    assert len(again.response.attachments) == 1
    assert easel.messages() == []


async def test_one_that_comes_too_late_waits_in_the_outbox(easel):
    await easel.ask(prompt="a cat")
    await easel.env.advance_time(901)
    await easel.finish()
    assert easel.messages() == []
    record = await easel.only_job()
    assert record.delivery is DeliveryState.UNDELIVERED
    assert "for you alone" in record.delivery_note
    queue = await easel.ask_plain("queue")
    shown = await press(easel.alice, queue.response, label=f"Show img2img …{record.id[-4:]}")
    assert shown.ephemeral
    assert len(shown.response.attachments) == 1
    assert easel.messages() == []


async def test_it_stays_private_when_the_setting_is_taken_back(easel):
    await easel.ask(prompt="a cat")
    await easel.env.advance_time(901)
    await easel.finish()
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"visibility": None})
    record = await easel.only_job()
    queue = await easel.ask_plain("queue")
    shown = await press(easel.alice, queue.response, label=f"Show img2img …{record.id[-4:]}")
    assert shown.ephemeral


async def test_a_reply_is_refused_with_the_way_round(easel):
    words = f"<@{easel.bot.user.id}> make it red"
    await easel.alice.send(easel.channel, words, attachments=[("a.png", png())])
    assert "which a reply cannot be" in easel.messages()[-1].content
    assert await easel.count() == 0


async def test_a_refusal_leaves_no_half_answer(easel):
    result = await easel.ask(image=("a.png", b"no picture"))
    assert "is not a picture" in (result.followups or [result.response])[-1].content
    assert easel.messages() == []


async def test_a_public_server_knows_nothing_of_it(easel):
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"visibility": None})
    result = await easel.ask(prompt="a cat")
    assert not result.ephemeral
    assert not ReplyTarget.from_json((await easel.only_job()).reply_to).private
