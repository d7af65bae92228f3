from __future__ import annotations

import asyncio
from datetime import timedelta

import discord
import pytest
from simcord.backend.models import Overwrite
from simcord.enums import OverwriteType

from bot.delivery import delivery as module
from bot.requests.reply_target import ReplyTarget
from storage.records import DeliveryState, JobState
from tests.doubles.cards import press, walk_parts
from tests.doubles.images import encoded, noise, png

QUARTER_HOUR = 15 * 60 + 1


def results(easel) -> list:
    return [message for message in easel.messages() if message.attachments]


async def test_the_answer_becomes_the_result_and_the_token_is_forgotten(easel):
    card = await easel.ask()
    token = ReplyTarget.from_json((await easel.only_job()).reply_to).token
    await easel.finish()
    record = await easel.only_job()
    assert (record.delivery, record.delivery_route) == (DeliveryState.SENT, "edit")
    assert str(card.response.id) == record.message
    assert token not in record.reply_to


async def test_after_a_quarter_of_an_hour_the_channel_gets_the_result(easel):
    card = await easel.ask()
    await easel.env.advance_time(QUARTER_HOUR)
    await easel.finish()
    record = await easel.only_job()
    (result,) = results(easel)
    assert (record.delivery, record.delivery_route) == (DeliveryState.SENT, "post")
    assert record.message == str(result.id) != str(card.response.id)
    assert result.jump_url in easel.messages()[0].content
    (sent,) = [r for r in easel.env.http_requests if r.path.endswith("/messages")]
    assert (sent.json["nonce"], sent.json["enforce_nonce"]) == (record.id, True)
    assert {"parse": [], "users": [int(record.owner)]} == sent.json["allowed_mentions"]


async def test_progress_goes_on_after_a_quarter_of_an_hour(easel):
    card = await easel.ask()
    await easel.env.advance_time(QUARTER_HOUR)
    easel.service.progress(3, 20)
    await easel.env.settle()
    assert "step 3 of 20" in card.response.content


@pytest.mark.parametrize(
    ("status", "code"), [(401, 50027), (404, 10015), (404, 10008), (403, 50001)]
)
async def test_a_token_that_ends_early_leads_to_the_channel(easel, status, code):
    await easel.ask()
    easel.env.inject_error("PATCH", "/webhooks/*", status=status, code=code)
    await easel.finish()
    assert len(results(easel)) == 1
    assert (await easel.only_job()).delivery is DeliveryState.SENT


async def test_a_card_deleted_while_the_job_ran(easel):
    card = await easel.ask()
    easel.env.backend.delete_message(easel.channel.id, card.response.id)
    await easel.finish()
    assert len(results(easel)) == 1


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (50013, "Easel may not write or attach files in the channel"),
        (50001, "Easel cannot see the channel"),
        (10003, "the channel is gone"),
        (50007, "your direct messages are closed"),
        (1, "Injected"),
    ],
)
async def test_a_closed_channel_leaves_the_result_in_the_outbox(easel, code, words):
    await easel.ask()
    easel.close_channel(code)
    await easel.finish()
    record = await easel.only_job()
    assert (record.state, record.delivery) == (JobState.DONE, DeliveryState.UNDELIVERED)
    assert words.lower() in record.delivery_note.lower()
    assert await easel.jobs.deliveries.list_undelivered(record.owner) == [record]


async def test_a_sick_discord_is_tried_again(easel):
    card = await easel.ask()
    easel.env.inject_error("PATCH", "/webhooks/*", status=500)
    await easel.finish()
    record = await easel.only_job()
    assert (record.state, record.delivery) == (JobState.DONE, DeliveryState.PENDING)
    await easel.env.advance_time(module.SWEEP_SECONDS + 1)
    assert len(card.response.attachments) == 1
    assert (await easel.only_job()).deliveries == 2


async def test_a_result_that_never_gets_through_is_given_up_after_a_day(easel):
    easel.options["give_up_after"] = timedelta(days=-10_000)
    await easel.restart()
    await easel.ask()
    easel.env.inject_error("PATCH", "/webhooks/*", status=500)
    await easel.finish()
    record = await easel.only_job()
    assert (record.state, record.delivery) == (JobState.DONE, DeliveryState.UNDELIVERED)


async def test_progress_that_fails_is_dropped(easel):
    card = await easel.ask()
    easel.env.inject_error("PATCH", "/webhooks/*", status=500)
    easel.service.progress(5, 20)
    await easel.env.settle()
    await easel.finish()
    assert len(card.response.attachments) == 1


async def test_the_place_that_cannot_be_shown_is_no_refusal(easel):
    easel.env.inject_error("PATCH", "/webhooks/*", status=500)
    card = await easel.ask()
    assert card.followups == []
    await easel.finish()
    assert len(card.response.attachments) == 1


async def test_a_job_finished_before_its_place_was_shown_keeps_its_result(easel):
    card = await easel.ask()
    await easel.finish()
    shown = card.response.content
    record = await easel.only_job()
    place = await easel.jobs.reader.queue_position(record.id)
    submission = module.SubmitResult(record, place, True, 1)
    await easel.services.delivery.show_queued(submission, ReplyTarget.from_json(record.reply_to))
    assert card.response.content == shown


async def test_results_waiting_at_a_restart_are_delivered(easel):
    card = await easel.ask()
    easel.env.inject_error("PATCH", "/webhooks/*", status=500)
    await easel.finish()
    await easel.restart()
    await easel.env.settle()
    assert len(card.response.attachments) == 1
    assert (await easel.only_job()).delivery is DeliveryState.SENT


async def test_a_crash_between_sending_and_noting_leaves_one_result(easel):
    await easel.ask()
    await easel.env.advance_time(QUARTER_HOUR)
    crash(easel)
    await easel.finish()
    assert (await easel.only_job()).delivery is DeliveryState.SENDING
    assert len(results(easel)) == 1
    await easel.restart()
    await easel.env.settle()
    record = await easel.only_job()
    (result,) = results(easel)
    assert (DeliveryState.SENT, str(result.id)) == (record.delivery, record.message)


@pytest.mark.parametrize("between", [101, 250])
async def test_messages_between_hide_no_result(easel, between):
    """Discord's pages of history have 100 messages."""
    await easel.ask()
    await easel.env.advance_time(QUARTER_HOUR)
    crash(easel)
    await easel.finish()
    (result,) = results(easel)
    await chat(easel, between)

    await easel.restart()
    await easel.env.settle()

    assert results(easel) == [result]
    record = await easel.only_job()
    assert (record.delivery, record.message) == (DeliveryState.SENT, str(result.id))


async def test_the_search_ends_where_no_result_can_be(easel, monkeypatch):
    await chat(easel, 101)
    await easel.env.advance_time(3600)
    await easel.ask()
    await easel.env.advance_time(QUARTER_HOUR)
    await chat(easel, 101)
    fail_to_send(easel, monkeypatch)
    await easel.finish()
    easel.env.http_requests.clear()

    await easel.restart()
    await easel.env.settle()

    assert len(results(easel)) == 1
    looks = [r for r in easel.env.http_requests if r.method == "GET" and "/messages" in r.path]
    assert len([look for look in looks if look.path.endswith("/messages")]) == 2


@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("answer", [50001, 50013, "an empty channel"])
async def test_where_history_may_not_be_read_the_outbox_has_it(easel, monkeypatch, arrived, answer):
    await easel.ask()
    await easel.env.advance_time(QUARTER_HOUR)
    if arrived:
        crash(easel)
    else:
        fail_to_send(easel, monkeypatch)
    await easel.finish()
    forbid_history(easel, answer)

    await easel.restart()
    await easel.env.settle()

    assert len(results(easel)) == arrived
    record = await easel.only_job()
    assert record.delivery is DeliveryState.UNDELIVERED
    assert "may not read the channel's history" in record.delivery_note
    easel.open_channel()
    shown = await easel.ask_plain("queue")
    assert "may not read the channel's history" in shown.response.content


async def test_an_empty_channel_that_may_be_read_gets_the_result(easel, monkeypatch):
    card = await easel.ask()
    await easel.env.advance_time(QUARTER_HOUR)
    fail_to_send(easel, monkeypatch)
    await easel.finish()
    easel.env.backend.delete_message(easel.channel.id, card.response.id)
    assert easel.messages() == []

    await easel.restart()
    await easel.env.settle()

    assert len(results(easel)) == 1


def fail_to_send(easel, monkeypatch) -> None:
    """Let the process die before its first message gets out."""

    async def never(*args):
        raise asyncio.CancelledError

    monkeypatch.setattr(easel.services.delivery.sender, "post_result", never)


async def chat(easel, count: int) -> None:
    for number in range(count):
        await easel.bob.send(easel.channel, f"nothing to do with it, {number}")


def forbid_history(easel, answer: int | str) -> None:
    """Take the right to read the history; Discord then shows an empty channel or refuses."""
    easel.env.backend.set_overwrite(
        easel.channel.id,
        Overwrite(
            target_id=easel.bot.user.id,
            type=OverwriteType.MEMBER,
            allow=0,
            deny=discord.Permissions.read_message_history.flag,
        ),
    )
    path = f"/channels/{easel.channel.id}/messages*"
    if isinstance(answer, int):
        easel.env.inject_error("GET", path, status=403, code=answer, times=None)
    else:
        easel.env.inject_error("GET", path.replace("*", "/*"), status=404, code=10008, times=None)


async def test_a_crash_before_sending_leaves_one_result(easel, monkeypatch):
    await easel.ask()
    await easel.env.advance_time(QUARTER_HOUR)

    async def never(*args):
        raise asyncio.CancelledError

    monkeypatch.setattr(easel.services.delivery.sender, "post_result", never)
    await easel.finish()
    assert (await easel.only_job()).delivery is DeliveryState.SENDING
    assert results(easel) == []
    await easel.restart()
    await easel.env.settle()
    assert len(results(easel)) == 1


async def test_a_restart_edits_the_same_answer_again(easel):
    card = await easel.ask()
    crash(easel)
    await easel.finish()
    await easel.restart()
    await easel.env.settle()
    assert len(card.response.attachments) == 1
    assert len(easel.messages()) == 1


async def test_telling_twice_sends_once(easel):
    await easel.ask()
    await easel.finish()
    before = len(easel.env.http_requests)
    easel.services.delivery.on_job_ended(await easel.only_job())
    await easel.env.settle()
    assert len(easel.env.http_requests) == before


async def test_a_job_of_the_command_line_has_nobody_to_be_told(easel):
    await easel.ask()
    record = await easel.only_job()
    await easel.jobs.deliveries.update_reply_to(record.id, "cli")
    await easel.finish()
    record = await easel.only_job()
    assert (record.delivery, record.delivery_note) == (
        DeliveryState.UNDELIVERED,
        "it was not asked in Discord",
    )


async def test_a_failed_job_is_told_the_same_ways(easel):
    await easel.ask()
    await easel.env.advance_time(QUARTER_HOUR)
    easel.service.fail("The mask is blank.")
    await easel.env.settle()
    assert "The mask is blank." in easel.messages()[-1].content


async def test_a_cancelled_job_whose_card_is_gone_bothers_nobody(easel):
    await easel.ask()
    easel.close_channel()
    await easel.services.dispatcher.cancel_job((await easel.only_job()).id, None)
    await easel.env.settle()
    assert (await easel.only_job()).state is JobState.CANCELLED


async def test_a_batch_is_one_gallery(easel):
    card = await easel.ask(batch=4, prompt="a red apple")
    await easel.finish(images=4)
    (gallery,) = [part["items"] for part in walk_parts(card.response.components) if "items" in part]
    shown = [file.description for file in card.response.attachments]
    assert shown == [f"img2img, picture {n} of 4: a red apple" for n in range(1, 5)]
    assert [item["description"] for item in gallery] == shown
    assert "U1 to U4 show one picture in full" in card.response.content


async def test_a_batch_swept_away_is_said(easel):
    card = await easel.ask(batch=2)
    easel.env.inject_error("PATCH", "/webhooks/*", status=500)
    await easel.finish(images=2)
    record = await easel.only_job()
    await easel.blobs.delete_blob(record.result["pictures"][1]["key"])
    await easel.env.advance_time(module.SWEEP_SECONDS + 1)
    assert "no longer stored" in card.response.content


async def test_more_pictures_than_a_message_holds(easel):
    card = await easel.ask("loopback", loops=12)
    await easel.finish(images=12, role="frame")
    assert len(card.response.attachments) == 10
    assert "2 more pictures do not fit" in card.response.content


async def test_words_too_long_for_a_message_come_as_a_file_as_well(easel):
    card = await easel.ask("explain", prompt="a red apple")
    words = "\n".join(f"  1.00  word{n}" for n in range(300))
    await easel.finish(text=words, images=0)
    (attachment,) = card.response.attachments
    assert attachment.filename.endswith(".txt")
    assert await attachment.read() == words.encode()
    assert "word1\n" in card.response.content


async def test_a_picture_swept_away_is_said(easel):
    card = await easel.ask()
    easel.env.inject_error("PATCH", "/webhooks/*", status=500)
    await easel.finish()
    record = await easel.only_job()
    await easel.blobs.delete_blob(record.result["pictures"][0]["key"])
    await easel.env.advance_time(module.SWEEP_SECONDS + 1)
    assert "Picture 1 is no longer stored." in card.response.content


async def test_a_result_too_large_for_the_channel_is_made_smaller_and_says_so(easel):
    card = await easel.ask("upscale")
    record = await easel.only_job()
    place = ReplyTarget.from_json(record.reply_to)
    small = module.ReplyTarget(**{**vars(place), "file_limit": 40_000})
    await easel.jobs.deliveries.update_reply_to(record.id, small.to_json())
    await easel.finish(file=encoded(noise((200, 200))))
    (attachment,) = card.response.attachments
    assert attachment.filename.endswith(".webp")
    assert attachment.size <= 40_000
    assert "Too large for this channel as it is" in card.response.content
    assert f"The original is kept: `/history job:{record.id[-4:]}`" in card.response.content


async def test_files_that_are_refused_are_sent_smaller(easel, monkeypatch):
    monkeypatch.setattr(module, "RETRY_FILE_LIMITS", (60_000, 30_000))
    card = await easel.ask("upscale")
    easel.env.inject_error("PATCH", "/webhooks/*", status=413, code=40005, times=2)
    await easel.finish(file=encoded(noise((200, 200))))
    (attachment,) = card.response.attachments
    assert attachment.size <= 30_000
    assert (await easel.only_job()).delivery is DeliveryState.SENT


@pytest.mark.parametrize(("tier", "limit"), [(0, 10), (2, 50), (3, 100)])
async def test_a_posted_result_keeps_to_the_servers_tier(easel, tier, limit):
    await easel.ask()
    record = await easel.only_job()
    easel.bot.get_guild(easel.guild.id).premium_tier = tier
    place = ReplyTarget.from_json(record.reply_to)
    assert easel.services.delivery.sender.file_limit(place) == limit * 2**20


async def test_a_result_that_was_described_says_so_to_those_who_do_not_see_it(easel):
    result = await easel.ask(prompt="a red apple")
    await easel.finish()
    record = await easel.only_job()
    await press(easel.alice, result.response, label="Describe")
    await easel.finish(images=0, text="an apple on a table")
    shown = await easel.ask_plain("history", job=record.id)
    (file,) = shown.response.attachments
    assert file.description == "img2img: an apple on a table"


async def test_a_command_in_a_direct_message_is_answered_there(easel):
    dm = easel.users["alice"]
    result = await dm.slash("img2img", image=("photo.png", png()))
    await easel.finish()
    assert len(result.response.attachments) == 1
    record = (await easel.jobs.reader.list_by_owner(str(dm.id)))[0]
    assert (record.guild, record.delivery) == (None, DeliveryState.SENT)


async def test_after_a_quarter_of_an_hour_the_direct_message_gets_the_result(easel):
    dm = easel.users["alice"]
    await dm.slash("img2img", image=("photo.png", png()))
    await easel.env.advance_time(QUARTER_HOUR)
    await easel.finish()
    (result,) = [message for message in dm.dm_channel.history() if message.attachments]
    record = (await easel.jobs.reader.list_by_owner(str(dm.id)))[0]
    assert ("post", str(result.id)) == (record.delivery_route, record.message)


async def test_direct_messages_that_were_closed_leave_the_outbox(easel):
    dm = easel.users["alice"]
    await dm.slash("img2img", image=("photo.png", png()))
    easel.close_channel(50007)
    await easel.finish()
    easel.open_channel()
    shown = await dm.slash("queue")
    assert "your direct messages are closed" in shown.response.content
    assert shown.ephemeral


def crash(easel) -> None:
    """Let the process die between a message's sending and its noting."""
    deliveries = easel.jobs.deliveries
    mark_delivered = deliveries.mark_delivered

    async def die(*args):
        deliveries.mark_delivered = mark_delivered
        raise asyncio.CancelledError

    deliveries.mark_delivered = die
