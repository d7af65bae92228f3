"""Replies to pictures: what is done, what is refused with words, what is left alone."""

from __future__ import annotations

import discord
import pytest

from tests.doubles.images import png


async def says(house, words, to=None, files=(), member=None, named=True):
    """A member writes in the channel, by default naming the bot."""
    content = f"<@{house.bot.user.id}> {words}" if named else words
    actor = member or house.alice
    return await actor.send(house.channel, content, reply_to=to, attachments=files)


async def result_of(house, **options):
    result = await house.ask(**options)
    await house.finish()
    return result.response.message


def last(house):
    return house.messages()[-1]


ASKED = {
    "make it a watercolour, strength 0.4": ("img2img", {"strength": 0.4}),
    "upscale 2x": ("upscale", {"factor": 2.0, "upscaler": "animevideov3"}),
    "describe": ("interrogate", {"method": "caption"}),
    "outpaint left 128": ("outpaint", {"left": 128, "right": 0}),
    "inpaint left 30%: a window": ("inpaint", {"mask_shape": "left 30%", "prompt": "a window"}),
    "loop 2 a city": ("loopback", {"loops": 2}),
}


@pytest.mark.parametrize("words", ASKED)
async def test_a_reply_to_a_result_works_on_it(house, words):
    parent = await result_of(house)
    record = await house.only_job()
    await says(house, words, to=parent, member=house.bob)
    kind, values = ASKED[words]
    job = await house.only_job(house.bob)
    assert (job.kind, job.parent) == (kind, record.id)
    assert values.items() <= job.params.items()
    await house.finish(text="a cat", colour="green")
    answer = last(house)
    assert answer.reference is not None
    assert len(answer.attachments) == 1
    assert f"<@{house.bob.id}>" in answer.content


async def test_progress_and_result_are_one_message(house):
    parent = await result_of(house)
    await says(house, "make it green", to=parent)
    house.service.progress(5, 20)
    await house.env.settle()
    assert "step 5 of 20" in last(house).content
    before = len(house.messages())
    await house.env.advance_time(1200)  # no token runs out here
    await house.finish()
    assert len(house.messages()) == before
    assert len(last(house).attachments) == 1


async def test_a_picture_in_the_message_itself(house):
    await says(house, "a watercolour", files=[("a.png", png())])
    assert house.service.job.params["prompt"] == "a watercolour"


async def test_the_file_of_a_reply_is_the_mask(house):
    parent = await result_of(house)
    await says(house, "inpaint a hat", to=parent, files=[("m.png", png(colour="white"))])
    assert set(house.service.job.inputs) == {"image", "mask"}


async def test_a_scribbled_copy_and_words_are_an_inpainting(house):
    parent = await result_of(house)
    await says(house, "a red hat, strength 0.9", to=parent, files=[("copy.jpg", png())])
    job = await house.jobs.reader.get_job(house.service.job.job_id)
    told = (job.kind, set(job.inputs), job.params["prompt"], job.params["strength"])
    assert told == ("inpaint", {"image", "mask"}, "a red hat", 0.9)


async def test_a_scribbled_copy_alone_shows_what_it_marks(house):
    parent = await result_of(house)
    message = await says(house, "", to=parent, files=[("copy.jpg", png())])
    assert house.service.job.kind == "preview"
    await house.finish(colour="green")
    shown = await house.alice.click(last(house), label="Go")
    await house.alice.submit_modal(shown, {"prompt": "a hat"})
    job = house.service.job
    assert (job.kind, set(job.inputs)) == ("inpaint", {"image", "mask"})
    assert message.reference is not None


async def test_a_file_that_rings_needs_no_name(house):
    parent = await result_of(house)
    seen = await says(house, "help", files=[("copy.jpg", png())])
    message = await says(house, "", to=parent, files=[("copy.jpg", png())], named=False)
    # As Discord lists who a reply rings, to whom it then shows all of it.
    message.mentions, message.attachments = [house.bot.user], seen.attachments
    message.reference.resolved = parent
    await house.bot.on_message(message)
    await house.env.settle()
    assert house.service.job.kind == "preview"


async def test_a_forwarded_picture_is_hidden_like_other_peoples_messages(house):
    forwarded = await house.bob.forward(await result_of(house), house.channel)
    await says(house, "describe", to=forwarded)
    assert "Apps → Edit…" in last(house).content
    assert await house.count() == 1


async def test_a_direct_message_needs_no_mention(house):
    dm = house.users["alice"]
    backend = house.env.backend
    channel = backend.get_dm_channel(dm.id)
    files = backend.store_attachments(channel.id, [("photo.png", png())])
    await dm.send_dm("a watercolour", attachments=files)
    assert house.service.job.params["prompt"] == "a watercolour"
    await house.finish()
    answer = dm.dm_channel.history()[-1]
    assert len(answer.attachments) == 1
    await dm.send_dm("again", reference={"message_id": str(answer.id)})
    assert await house.count() == 2


async def test_a_direct_message_without_a_picture(house):
    dm = house.users["alice"]
    await dm.send_dm("make it red")
    assert "There is no picture to work on" in dm.dm_channel.history()[-1].content
    await dm.send_dm("help")
    assert "make it a watercolour" in dm.dm_channel.history()[-1].content


async def test_two_files_are_picture_and_mask(house):
    files = [("a.png", png()), ("m.png", png(colour="white"))]
    await says(house, "inpaint a hat", files=files)
    assert set(house.service.job.inputs) == {"image", "mask"}


async def test_again_is_for_its_owner(house):
    parent = await result_of(house, seed=5)
    await says(house, "again", to=parent, member=house.bob)
    assert "Say what to do instead" in last(house).content
    await says(house, "again", to=parent)
    assert house.service.job.params["seed"] != 5


async def test_again_repeats_only_results(house):
    photo = await house.posted(("a.png", png()))
    await says(house, "again", to=photo)
    assert "repeats a result of mine" in last(house).content


async def test_help(house):
    await says(house, "help")
    assert "make it a watercolour" in last(house).content
    assert await house.count() == 0


async def test_a_picture_that_discord_hides(house):
    photo = await house.posted(("photo.png", png()))
    await says(house, "make it a watercolour", to=photo)
    assert "Apps → Edit…" in last(house).content
    assert await house.count() == 0


async def test_a_hidden_picture_attached_once_more(house):
    photo = await house.posted(("photo.png", png()))
    await says(house, "make it red", to=photo, files=[("photo.png", png())])
    assert await house.count() == 1


async def test_nothing_to_work_on(house):
    await says(house, "make it red")
    assert "There is no picture to work on" in last(house).content


async def test_the_message_replied_to_is_deleted(house):
    message = await says(house, "describe", to=await house.posted(("photo.png", png())))
    message.reference.resolved = discord.DeletedReferencedMessage(message.reference)
    await house.bot.on_message(message)
    assert "The message you replied to was deleted" in last(house).content
    assert await house.count() == 0


async def test_what_cannot_be_is_said(house):
    parent = await result_of(house)
    await says(house, "upscale 99x", to=parent)
    assert "factor is 99, but must lie between 1 and 8." in last(house).content
    await says(house, "describe", files=[("a.png", b"just words")])
    assert "is not a picture" in last(house).content
    assert len(house.messages()) == 5
    assert await house.count() == 1


async def test_talk_between_people_is_left_alone(house):
    parent = await result_of(house)
    for words in ("thanks, lovely!", "help", "a watercolour would be nice"):
        await says(house, words, to=parent, member=house.bob, named=False)
    await says(house, "describe", named=False)
    assert await house.count() == 1
    assert len(house.messages()) == 5


@pytest.mark.parametrize(("words", "jobs"), [("describe", 1), ("lovely", 0), ("help", 0)])
async def test_a_reply_that_rings_needs_no_name_for_a_plain_verb(house, words, jobs):
    message = await says(house, words, to=await result_of(house), named=False)
    message.mentions = [house.bot.user]  # as Discord lists who a reply rings
    before = await house.count()
    await house.bot.on_message(message)
    assert await house.count() - before == jobs


async def test_where_the_bot_may_not_write_nothing_breaks(house):
    parent = await result_of(house)
    house.close_channel()
    await says(house, "describe", to=parent)
    assert await house.count() == 1


async def test_a_message_heard_twice_makes_one_job(house):
    message = await says(house, "red", files=[("a.png", png())])
    await house.bot.on_message(message)
    assert await house.count() == 1
