"""Replies to pictures: what is done, what is refused with words, what is left alone."""

from __future__ import annotations

import discord
import pytest

from inference.api.messages import ModelInfo
from tests.doubles.cards import press
from tests.doubles.images import png


async def says(easel, words, to=None, files=(), member=None, named=True):
    """A member writes in the channel, by default naming the bot."""
    content = f"<@{easel.bot.user.id}> {words}" if named else words
    actor = member or easel.alice
    return await actor.send(easel.channel, content, reply_to=to, attachments=files)


async def result_of(easel, **options):
    result = await easel.ask(**options)
    await easel.finish()
    return result.response.message


def last(easel):
    return easel.messages()[-1]


ASKED = {
    "make it a watercolour, strength 0.4": ("img2img", {"strength": 0.4}),
    "redraw 2x: a fox": (
        "upscale",
        {"mode": "redraw", "factor": 2.0, "prompt": "a fox", "upscaler": "animevideov3"},
    ),
    "upscale 2x": ("upscale", {"factor": 2.0, "upscaler": "animevideov3"}),
    "describe": ("interrogate", {"method": "caption"}),
    "outpaint left 128": ("outpaint", {"left": 128, "right": 0}),
    "inpaint left 30%: a window": ("inpaint", {"mask_shape": "left 30%", "prompt": "a window"}),
    "loop 2 a city": ("loopback", {"loops": 2}),
}


@pytest.mark.parametrize("words", ASKED)
async def test_a_reply_to_a_result_works_on_it(easel, words):
    parent = await result_of(easel)
    record = await easel.only_job()
    await says(easel, words, to=parent, member=easel.bob)
    kind, values = ASKED[words]
    job = await easel.only_job(easel.bob)
    assert (job.kind, job.parent) == (kind, record.id)
    assert values.items() <= job.params.items()
    await easel.finish(text="a cat", colour="green")
    answer = last(easel)
    assert answer.reference is not None
    assert [file.filename for file in answer.attachments if "before" not in file.filename]
    assert f"<@{easel.bob.id}>" in answer.content


async def test_progress_and_result_are_one_message(easel):
    parent = await result_of(easel)
    await says(easel, "make it green", to=parent)
    easel.service.progress(5, 20)
    await easel.env.settle()
    assert "step 5 of 20" in last(easel).content
    before = len(easel.messages())
    await easel.env.advance_time(1200)  # no token runs out here
    await easel.finish()
    assert len(easel.messages()) == before
    assert [file.description for file in last(easel).attachments] == [
        "Before: what the next picture was made from",
        "img2img: green",
    ]


async def test_a_picture_in_the_message_itself(easel):
    await says(easel, "a watercolour", files=[("a.png", png())])
    assert easel.service.job.params["prompt"] == "a watercolour"


async def test_the_file_of_a_reply_is_the_mask(easel):
    parent = await result_of(easel)
    await says(easel, "inpaint a hat", to=parent, files=[("m.png", png(colour="white"))])
    assert set(easel.service.job.inputs) == {"image", "mask"}


async def test_a_scribbled_copy_and_words_are_an_inpainting(easel):
    parent = await result_of(easel)
    await says(easel, "a red hat, strength 0.9", to=parent, files=[("copy.jpg", png())])
    job = await easel.jobs.reader.get_job(easel.service.job.job_id)
    told = (job.kind, set(job.inputs), job.params["prompt"], job.params["strength"])
    assert told == ("inpaint", {"image", "mask"}, "a red hat", 0.9)


async def test_a_scribbled_copy_alone_shows_what_it_marks(easel):
    parent = await result_of(easel)
    message = await says(easel, "", to=parent, files=[("copy.jpg", png())])
    assert easel.service.job.kind == "preview"
    await easel.finish(colour="green")
    shown = await press(easel.alice, last(easel), label="Go")
    await easel.alice.submit_modal(shown, {"prompt": "a hat"})
    job = easel.service.job
    assert (job.kind, set(job.inputs)) == ("inpaint", {"image", "mask"})
    assert message.reference is not None


async def test_a_redrawn_picture_keeps_the_words_of_the_result(easel):
    painted = await easel.ask(prompt="a red apple")
    await easel.finish()
    await says(easel, "redraw", to=painted.response.message)
    job = easel.service.job
    assert (job.kind, job.params["mode"]) == ("upscale", "redraw")
    assert job.params["prompt"] == "a red apple"


async def test_a_file_that_rings_needs_no_name(easel):
    parent = await result_of(easel)
    seen = await says(easel, "help", files=[("copy.jpg", png())])
    message = await says(easel, "", to=parent, files=[("copy.jpg", png())], named=False)
    # As Discord lists who a reply rings, to whom it then shows all of it.
    message.mentions, message.attachments = [easel.bot.user], seen.attachments
    message.reference.resolved = parent
    await easel.bot.on_message(message)
    await easel.env.settle()
    assert easel.service.job.kind == "preview"


async def test_a_forwarded_picture_is_hidden_like_other_peoples_messages(easel):
    forwarded = await easel.bob.forward(await result_of(easel), easel.channel)
    await says(easel, "describe", to=forwarded)
    assert "Apps → Edit…" in last(easel).content
    assert await easel.count() == 1


async def test_a_direct_message_needs_no_mention(easel):
    dm = easel.users["alice"]
    backend = easel.env.backend
    channel = backend.get_dm_channel(dm.id)
    files = backend.store_attachments(channel.id, [("photo.png", png())])
    await dm.send_dm("a watercolour", attachments=files)
    assert easel.service.job.params["prompt"] == "a watercolour"
    await easel.finish()
    answer = dm.dm_channel.history()[-1]
    assert len(answer.attachments) == 1
    await dm.send_dm("again", reference={"message_id": str(answer.id)})
    assert await easel.count() == 2


async def test_a_direct_message_without_a_picture(easel):
    dm = easel.users["alice"]
    await dm.send_dm("make it red")
    assert "There is no picture to work on" in dm.dm_channel.history()[-1].content
    await dm.send_dm("help")
    assert "make it a watercolour" in dm.dm_channel.history()[-1].content


async def test_two_files_are_picture_and_mask(easel):
    files = [("a.png", png()), ("m.png", png(colour="white"))]
    await says(easel, "inpaint a hat", files=files)
    assert set(easel.service.job.inputs) == {"image", "mask"}


async def test_again_is_for_its_owner(easel):
    parent = await result_of(easel, seed=5)
    await says(easel, "again", to=parent, member=easel.bob)
    assert "Say what to do instead" in last(easel).content
    await says(easel, "again", to=parent)
    assert easel.service.job.params["seed"] != 5


async def test_again_repeats_only_results(easel):
    photo = await easel.posted(("a.png", png()))
    await says(easel, "again", to=photo)
    assert "repeats a result of mine" in last(easel).content


async def test_help(easel):
    await says(easel, "help")
    assert "make it a watercolour" in last(easel).content
    assert await easel.count() == 0


async def test_a_picture_that_discord_hides(easel):
    photo = await easel.posted(("photo.png", png()))
    await says(easel, "make it a watercolour", to=photo)
    assert "Apps → Edit…" in last(easel).content
    assert await easel.count() == 0


async def test_a_hidden_picture_attached_once_more(easel):
    photo = await easel.posted(("photo.png", png()))
    await says(easel, "make it red", to=photo, files=[("photo.png", png())])
    assert await easel.count() == 1


async def test_nothing_to_work_on(easel):
    await says(easel, "make it red")
    assert "There is no picture to work on" in last(easel).content


async def test_the_message_replied_to_is_deleted(easel):
    message = await says(easel, "describe", to=await easel.posted(("photo.png", png())))
    message.reference.resolved = discord.DeletedReferencedMessage(message.reference)
    await easel.bot.on_message(message)
    assert "The message you replied to was deleted" in last(easel).content
    assert await easel.count() == 0


async def test_what_cannot_be_is_said(easel):
    parent = await result_of(easel)
    await says(easel, "upscale 99x", to=parent)
    assert "factor is 99, but must lie between 1 and 8." in last(easel).content
    await says(easel, "describe", files=[("a.png", b"just words")])
    assert "is not a picture" in last(easel).content
    assert len(easel.messages()) == 5
    assert await easel.count() == 1


async def test_talk_between_people_is_left_alone(easel):
    parent = await result_of(easel)
    for words in ("thanks, lovely!", "help", "a watercolour would be nice"):
        await says(easel, words, to=parent, member=easel.bob, named=False)
    await says(easel, "describe", named=False)
    assert await easel.count() == 1
    assert len(easel.messages()) == 5


@pytest.mark.parametrize(("words", "jobs"), [("describe", 1), ("lovely", 0), ("help", 0)])
async def test_a_reply_that_rings_needs_no_name_for_a_plain_verb(easel, words, jobs):
    message = await says(easel, words, to=await result_of(easel), named=False)
    message.mentions = [easel.bot.user]  # as Discord lists who a reply rings
    before = await easel.count()
    await easel.bot.on_message(message)
    assert await easel.count() - before == jobs


async def test_where_the_bot_may_not_write_nothing_breaks(easel):
    parent = await result_of(easel)
    easel.close_channel()
    await says(easel, "describe", to=parent)
    assert await easel.count() == 1


async def test_a_message_heard_twice_makes_one_job(easel):
    message = await says(easel, "red", files=[("a.png", png())])
    await easel.bot.on_message(message)
    assert await easel.count() == 1


@pytest.mark.parametrize("words", ["zoom out 1.5x", "outpaint left 64", "loop 2"])
async def test_a_reply_keeps_the_prompt_of_the_result_that_it_answers(easel, words):
    parent = await result_of(easel, prompt="a red apple", negative_prompt="blur", model="starter")
    await says(easel, words, to=parent, member=easel.bob)
    params = (await easel.only_job(easel.bob)).params
    kept = {name: params[name] for name in ("prompt", "negative_prompt", "model")}
    assert kept == {"prompt": "a red apple", "negative_prompt": "blur", "model": "starter"}


async def test_words_of_its_own_come_before_the_kept_prompt(easel):
    parent = await result_of(easel, prompt="a red apple")
    await says(easel, "outpaint left 64 a beach", to=parent)
    assert easel.service.job.params["prompt"] == "a beach"


@pytest.mark.parametrize(
    "words", ["remove the leaf", "please delete that leaf!", "get rid of the leaf", "add a leaf"]
)
async def test_an_order_is_answered_with_what_can_be_done(easel, words):
    parent = await result_of(easel, prompt="a red apple")
    await says(easel, words, to=parent)
    assert "I cannot take an order" in last(easel).content
    assert "“leaf”" in last(easel).content
    assert await easel.count() == 1


async def test_replacing_a_thing_is_done_where_words_find_it(easel):
    finder = ModelInfo(name="words", kind="mask", size=0)
    easel.service.models = (*easel.service.models, finder)
    parent = await result_of(easel, prompt="a red apple")
    await says(easel, "replace the leaf with a worm", to=parent)
    params = easel.service.job.params
    assert (params["mask_shape"], params["prompt"]) == ('"leaf"', "a worm")
    assert params["masked_content"] == "fill"


async def test_talk_about_removing_is_left_alone(easel):
    parent = await result_of(easel, prompt="a red apple")
    before = len(easel.messages())
    await says(easel, "remove the leaf", to=parent, named=False)
    assert len(easel.messages()) == before + 1
