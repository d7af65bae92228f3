from __future__ import annotations

import pytest

from bot.delivery import delivery as module
from bot.requests.reply_target import ReplyTarget
from storage.moderation import ScreeningRecord, Verdict
from storage.records import DeliveryState
from tests.bot.delivery.test_delivery import crash

CLOSED = [50013, 50001, 10003]


@pytest.fixture
async def allowed(house):
    await house.services.dm_preferences.set_dm_allowed(str(house.alice.id), is_allowed=True)


def close(house, code: int = 50013) -> None:
    """Close the channel alone: the answer there, and messages of the bot's own."""
    house.env.inject_error("PATCH", "/webhooks/*", status=404, code=10015, times=None)
    path = f"/channels/{house.channel.id}/*"
    house.env.inject_error("*", path, status=403, code=code, times=None)


def direct(house) -> list:
    return [m for m in house.users["alice"].dm_channel.history() if m.author.bot]


def shown(house) -> list:
    return [message for message in house.messages() if message.attachments]


@pytest.mark.parametrize("code", CLOSED)
async def test_a_closed_channel_leads_to_direct_messages_that_were_allowed(house, allowed, code):
    await house.ask()
    close(house, code)
    await house.finish()
    record, (result,) = await house.only_job(), direct(house)
    assert (record.delivery, record.delivery_route) == (DeliveryState.SENT, "direct")
    assert str(result.id) == record.message
    assert len(result.attachments) == 1
    sent = [r for r in house.env.http_requests if r.path.endswith("/messages")][-1]
    assert (sent.json["nonce"], sent.json["enforce_nonce"]) == (record.id, True)
    place = ReplyTarget.from_json(record.reply_to)
    assert place.message_url(result.id) == result.jump_url


async def test_nobody_is_written_to_who_did_not_allow_it(house):
    await house.ask()
    close(house)
    await house.finish()
    assert (await house.only_job()).delivery is DeliveryState.UNDELIVERED
    assert not [r for r in house.env.http_requests if r.path == "/users/@me/channels"]


async def test_an_open_channel_gets_the_result_all_the_same(house, allowed):
    await house.ask()
    await house.finish()
    assert len(shown(house)) == 1
    assert direct(house) == []


async def test_direct_messages_that_are_closed_as_well_leave_the_outbox(house, allowed):
    await house.ask()
    house.close_channel(50007)
    await house.finish()
    record = await house.only_job()
    assert record.delivery is DeliveryState.UNDELIVERED
    assert record.delivery_note == "your direct messages are closed"


async def test_direct_messages_that_cannot_be_opened_leave_the_outbox(house, allowed):
    await house.ask()
    close(house, 50001)
    house.env.inject_error("POST", "/users/@me/channels", status=403, code=50007)
    await house.finish()
    record = await house.only_job()
    assert record.delivery is DeliveryState.UNDELIVERED
    assert record.delivery_note == "Easel cannot see the channel"


async def test_a_crash_between_writing_and_noting_leaves_one_result(house, allowed):
    await house.ask()
    close(house)
    crash(house)
    await house.finish()
    assert (await house.only_job()).delivery is DeliveryState.SENDING
    assert len(direct(house)) == 1
    house.open_channel()
    await house.restart()
    await house.env.settle()
    record, (result,) = await house.only_job(), direct(house)
    assert (DeliveryState.SENT, str(result.id)) == (record.delivery, record.message)
    assert shown(house) == []


async def test_direct_messages_that_are_sick_are_tried_again(house, allowed):
    await house.ask()
    close(house)
    channel = house.users["alice"].dm_channel.id
    house.env.inject_error("POST", f"/channels/{channel}/messages", status=500)
    await house.finish()
    assert (await house.only_job()).delivery is DeliveryState.PENDING
    house.open_channel()
    await house.env.advance_time(module.SWEEP_SECONDS + 1)
    assert len(direct(house)) == 1
    assert shown(house) == []


async def test_what_may_have_arrived_unseen_is_not_sent_again(house, allowed):
    await house.ask()
    house.env.inject_error("PATCH", "/webhooks/*", status=500)
    await house.finish()
    close(house, 50001)
    await house.env.advance_time(module.SWEEP_SECONDS + 1)
    assert direct(house) == []
    assert (await house.only_job()).delivery is DeliveryState.UNDELIVERED


async def test_a_channel_that_can_be_read_is_looked_through_first(house, allowed):
    await house.ask()
    house.env.inject_error("PATCH", "/webhooks/*", status=500)
    await house.finish()
    house.env.inject_error("PATCH", "/webhooks/*", status=404, code=10015, times=None)
    house.env.inject_error(
        "POST", f"/channels/{house.channel.id}/*", status=403, code=50013, times=None
    )
    await house.env.advance_time(module.SWEEP_SECONDS + 1)
    assert len(direct(house)) == 1
    assert shown(house) == []


async def test_a_result_for_its_member_alone_may_go_there(house, allowed):
    await house.guilds.change_settings(str(house.guild.id), "1", {"visibility": "private"})
    await house.ask()
    await house.env.advance_time(15 * 60 + 1)
    await house.finish()
    assert len(direct(house)) == 1
    assert shown(house) == []


@pytest.mark.parametrize("verdict", [Verdict.HELD, Verdict.BLOCKED])
async def test_what_is_withheld_is_withheld_there_too(house, allowed, verdict):
    await house.ask()
    record = await house.only_job()
    await house.moderation.save_screening(
        record.id, ScreeningRecord(verdict=verdict, reason="because")
    )
    close(house)
    await house.finish()
    (result,) = direct(house)
    assert result.attachments == []


async def test_a_result_there_can_be_taken_away_and_shown_anew(house, allowed):
    await house.ask()
    close(house)
    await house.finish()
    record = await house.only_job()
    await house.moderation.save_screening(
        record.id, ScreeningRecord(verdict=Verdict.BLOCKED, reason="no")
    )
    await house.services.delivery.refresh_message(record)
    (result,) = direct(house)
    assert result.attachments == []
    assert await house.services.delivery.delete_message(record)
    assert direct(house) == []
