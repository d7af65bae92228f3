from __future__ import annotations

import pytest

from bot.delivery import delivery as module
from bot.requests.reply_target import ReplyTarget
from storage.moderation import ScreeningRecord, Verdict
from storage.records import DeliveryState
from tests.bot.delivery.test_delivery import crash

CLOSED = [50013, 50001, 10003]


@pytest.fixture
async def allowed(easel):
    await easel.services.member_switches.set_dm_allowed(str(easel.alice.id), is_allowed=True)


def close(easel, code: int = 50013) -> None:
    """Close the channel alone: the answer there, and messages of the bot's own."""
    easel.env.inject_error("PATCH", "/webhooks/*", status=404, code=10015, times=None)
    path = f"/channels/{easel.channel.id}/*"
    easel.env.inject_error("*", path, status=403, code=code, times=None)


def direct(easel) -> list:
    return [m for m in easel.users["alice"].dm_channel.history() if m.author.bot]


def shown(easel) -> list:
    return [message for message in easel.messages() if message.attachments]


@pytest.mark.parametrize("code", CLOSED)
async def test_a_closed_channel_leads_to_direct_messages_that_were_allowed(easel, allowed, code):
    await easel.ask()
    close(easel, code)
    await easel.finish()
    record, (result,) = await easel.only_job(), direct(easel)
    assert (record.delivery, record.delivery_route) == (DeliveryState.SENT, "direct")
    assert str(result.id) == record.message
    assert len(result.attachments) == 1
    sent = [r for r in easel.env.http_requests if r.path.endswith("/messages")][-1]
    assert (sent.json["nonce"], sent.json["enforce_nonce"]) == (record.id, True)
    place = ReplyTarget.from_json(record.reply_to)
    assert place.message_url(result.id) == result.jump_url


async def test_nobody_is_written_to_who_did_not_allow_it(easel):
    await easel.ask()
    close(easel)
    await easel.finish()
    assert (await easel.only_job()).delivery is DeliveryState.UNDELIVERED
    assert not [r for r in easel.env.http_requests if r.path == "/users/@me/channels"]


async def test_an_open_channel_gets_the_result_all_the_same(easel, allowed):
    await easel.ask()
    await easel.finish()
    assert len(shown(easel)) == 1
    assert direct(easel) == []


async def test_direct_messages_that_are_closed_as_well_leave_the_outbox(easel, allowed):
    await easel.ask()
    easel.close_channel(50007)
    await easel.finish()
    record = await easel.only_job()
    assert record.delivery is DeliveryState.UNDELIVERED
    assert record.delivery_note == "your direct messages are closed"


async def test_direct_messages_that_cannot_be_opened_leave_the_outbox(easel, allowed):
    await easel.ask()
    close(easel, 50001)
    easel.env.inject_error("POST", "/users/@me/channels", status=403, code=50007)
    await easel.finish()
    record = await easel.only_job()
    assert record.delivery is DeliveryState.UNDELIVERED
    assert record.delivery_note == "Easel cannot see the channel"


async def test_a_crash_between_writing_and_noting_leaves_one_result(easel, allowed):
    await easel.ask()
    close(easel)
    crash(easel)
    await easel.finish()
    assert (await easel.only_job()).delivery is DeliveryState.SENDING
    assert len(direct(easel)) == 1
    easel.open_channel()
    await easel.restart()
    await easel.env.settle()
    record, (result,) = await easel.only_job(), direct(easel)
    assert (DeliveryState.SENT, str(result.id)) == (record.delivery, record.message)
    assert shown(easel) == []


async def test_direct_messages_that_are_sick_are_tried_again(easel, allowed):
    await easel.ask()
    close(easel)
    channel = easel.users["alice"].dm_channel.id
    easel.env.inject_error("POST", f"/channels/{channel}/messages", status=500)
    await easel.finish()
    assert (await easel.only_job()).delivery is DeliveryState.PENDING
    easel.open_channel()
    await easel.env.advance_time(module.SWEEP_SECONDS + 1)
    assert len(direct(easel)) == 1
    assert shown(easel) == []


async def test_what_may_have_arrived_unseen_is_not_sent_again(easel, allowed):
    await easel.ask()
    easel.env.inject_error("PATCH", "/webhooks/*", status=500)
    await easel.finish()
    close(easel, 50001)
    await easel.env.advance_time(module.SWEEP_SECONDS + 1)
    assert direct(easel) == []
    assert (await easel.only_job()).delivery is DeliveryState.UNDELIVERED


async def test_a_channel_that_can_be_read_is_looked_through_first(easel, allowed):
    await easel.ask()
    easel.env.inject_error("PATCH", "/webhooks/*", status=500)
    await easel.finish()
    easel.env.inject_error("PATCH", "/webhooks/*", status=404, code=10015, times=None)
    easel.env.inject_error(
        "POST", f"/channels/{easel.channel.id}/*", status=403, code=50013, times=None
    )
    await easel.env.advance_time(module.SWEEP_SECONDS + 1)
    assert len(direct(easel)) == 1
    assert shown(easel) == []


async def test_a_result_for_its_member_alone_may_go_there(easel, allowed):
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"visibility": "private"})
    await easel.ask()
    await easel.env.advance_time(15 * 60 + 1)
    await easel.finish()
    assert len(direct(easel)) == 1
    assert shown(easel) == []


@pytest.mark.parametrize("verdict", [Verdict.HELD, Verdict.BLOCKED])
async def test_what_is_withheld_is_withheld_there_too(easel, allowed, verdict):
    await easel.ask()
    record = await easel.only_job()
    await easel.moderation.save_screening(
        record.id, ScreeningRecord(verdict=verdict, reason="because")
    )
    close(easel)
    await easel.finish()
    (result,) = direct(easel)
    assert result.attachments == []


async def test_a_result_there_can_be_taken_away_and_shown_anew(easel, allowed):
    await easel.ask()
    close(easel)
    await easel.finish()
    record = await easel.only_job()
    await easel.moderation.save_screening(
        record.id, ScreeningRecord(verdict=Verdict.BLOCKED, reason="no")
    )
    await easel.services.delivery.refresh_message(record)
    (result,) = direct(easel)
    assert result.attachments == []
    assert await easel.services.delivery.delete_message(record)
    assert direct(easel) == []
