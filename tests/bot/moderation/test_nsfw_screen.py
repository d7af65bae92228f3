"""Pictures that are not for everybody, on their way in and out."""

from __future__ import annotations

import discord
import pytest

from tests.doubles.cards import labels, more_of


@pytest.fixture
def rules(easel):
    async def change(**values):
        await easel.guilds.change_settings(str(easel.guild.id), "1", values)

    return change


@pytest.fixture
def age_restricted(monkeypatch):
    monkeypatch.setattr(discord.TextChannel, "is_nsfw", lambda self: True)


def said(result):
    return (result.followups or [result.response])[-1].content


async def test_without_the_setting_nothing_is_checked(easel):
    await easel.ask()
    await easel.finish()
    assert easel.detector.asked == 0


async def test_a_harmless_result_is_shown_and_looked_at_once(easel, rules):
    await rules(nsfw_ordinary="block")
    await easel.ask()
    await easel.finish()
    assert len(easel.messages()[-1].attachments) == 1
    assert easel.detector.asked == 2  # what went in and what came out
    await easel.services.message_builder.build_message(await easel.only_job(), 10**6)
    assert easel.detector.asked == 2


@pytest.mark.parametrize(
    ("action", "words"),
    [("block", "⛔ This result is not shown"), ("hold", "⏳ This result waits for a moderator")],
)
async def test_a_result_that_is_withheld_shows_neither_picture_nor_its_buttons(
    easel, rules, action, words
):
    await rules(nsfw_ordinary=action)
    result = await easel.ask(prompt="a cat")
    easel.detector.scores = [0.95]
    await easel.finish()
    assert words in result.response.content
    assert "a cat" not in result.response.content
    assert result.response.attachments == []
    offered = [*labels(easel.messages()[-1]), *more_of(easel.messages()[-1])]
    assert "Delete" in offered
    assert not {"Upscale 2×", "Describe", "Parameters", "Report", "Original"} & set(offered)


async def test_a_spoiler(easel, rules):
    await rules(nsfw_ordinary="spoiler")
    result = await easel.ask()
    easel.detector.scores = [0.95]
    await easel.finish()
    (file,) = result.response.attachments
    assert file.filename.startswith("SPOILER_")
    assert "easel-img2img" in file.filename


async def test_the_threshold_is_the_servers(easel, rules):
    await rules(nsfw_ordinary="block", nsfw_threshold=0.5)
    result = await easel.ask()
    easel.detector.scores = [0.5]
    await easel.finish()
    assert "not shown" in result.response.content


async def test_one_picture_of_a_batch_is_enough(easel, rules):
    await rules(nsfw_ordinary="block")
    result = await easel.ask(batch=3)
    easel.detector.scores = [0.1, 0.9, 0.1]
    await easel.finish(images=3)
    assert result.response.attachments == []


async def test_what_is_withheld_is_not_in_the_history_either(easel, rules):
    await rules(nsfw_ordinary="block")
    await easel.ask()
    easel.detector.scores = [0.95]
    await easel.finish()
    await rules(nsfw_ordinary=None)
    listed = await easel.ask_plain("history")
    record = await easel.only_job()
    shown = await easel.alice.select(listed.response, [record.id])
    assert "not shown" in shown.response.content
    assert shown.response.attachments == []


async def test_an_explicit_picture_is_not_worked_on(easel, rules):
    await rules(nsfw_ordinary="block")
    easel.detector.scores = [0.9]
    assert "not worked on here" in said(await easel.ask())
    assert await easel.count() == 0
    assert easel.messages() == []


async def test_where_results_are_held_pictures_are_taken_in(easel, rules):
    await rules(nsfw_ordinary="hold")
    easel.detector.scores = [0.9]
    await easel.ask()
    assert await easel.count() == 1


async def test_without_a_detector_the_check_fails_closed(easel, rules):
    await easel.ask()
    await rules(nsfw_ordinary="spoiler")
    easel.detector.present = False
    assert "the check does not work at the moment" in said(await easel.ask())
    await easel.finish()
    assert "/history shows it when the check works again" in easel.messages()[-1].content
    easel.detector.present = True
    outgoing = await easel.services.message_builder.build_message(await easel.only_job(), 10**6)
    assert len(outgoing.uploads) == 1


async def test_in_age_restricted_channels_it_has_its_own_rule(easel, rules, age_restricted):
    await rules(nsfw_ordinary="block")
    easel.detector.scores = [0.95, 0.95]
    result = await easel.ask()
    await easel.finish()
    assert len(result.response.attachments) == 1
    assert easel.detector.asked == 0
    await rules(nsfw_restricted="spoiler")
    result = await easel.ask()
    easel.detector.scores = [0.95]
    await easel.finish()
    assert result.response.attachments[0].filename.startswith("SPOILER_")


async def test_in_age_restricted_channels_a_missing_detector_stops_nothing(
    easel, rules, age_restricted
):
    await rules(nsfw_restricted="block")
    easel.detector.present = False
    result = await easel.ask()
    await easel.finish()
    assert len(result.response.attachments) == 1


@pytest.mark.parametrize("where", ["channel", "direct message"])
async def test_words_that_came_later_count_everywhere(easel, where):
    """A caption may have added to the prompt what its member did not write."""
    if where == "channel":
        await easel.ask("imagine", prompt="nude")
    else:
        await easel.alice.user.slash("imagine", prompt="nude")
    easel.service.infotext = "nude, a child\nNegative prompt: hat\nSteps: 20"
    await easel.finish()
    (record,) = await easel.jobs.reader.list_by_owner(str(easel.alice.id))
    outgoing = await easel.services.message_builder.build_message(record, 10**6)
    assert "sexual picture of minors" in outgoing.content
    assert outgoing.uploads == ()


async def test_the_negative_prompt_of_a_result_is_free(easel):
    await easel.ask("imagine", prompt="a nude")
    easel.service.infotext = "a nude\nNegative prompt: child\nSteps: 20"
    await easel.finish()
    outgoing = await easel.services.message_builder.build_message(await easel.only_job(), 10**6)
    assert len(outgoing.uploads) == 1


@pytest.mark.parametrize(
    ("infotext", "images"),
    [
        ("a nude :0.1\nNegative prompt: child\nSteps: 20", 0),
        ("a hat :0.1\nNegative prompt: nude, child\nSteps: 20", 0),
        ("Negative prompt: nude, child\nSteps: 20", 1),
        ("a [hat:nude:5]\nNegative prompt: (child:1.4)\nSteps: 20", 1),
    ],
)
async def test_a_negative_prompt_that_was_drawn_counts(easel, infotext, images):
    await easel.ask("imagine", prompt="a hat")
    easel.service.infotext = infotext
    await easel.finish()
    outgoing = await easel.services.message_builder.build_message(await easel.only_job(), 10**6)
    assert len(outgoing.uploads) == images


async def test_the_log_channel_is_told(easel, rules):
    log = easel.guild.create_text_channel("log")
    await rules(nsfw_ordinary="block", log_channel=str(log.id))
    await easel.ask("imagine", prompt="a nude child")
    assert "was refused" in log.history()[-1].content
    easel.detector.scores = [0.9]
    await easel.ask("imagine", prompt="a cat")
    await easel.finish()
    assert "was not shown" in log.history()[-1].content
    assert str(easel.channel.id) in log.history()[-1].content


async def test_the_log_channel_is_told_once_that_nothing_can_be_checked(easel, rules):
    log = easel.guild.create_text_channel("log")
    await rules(nsfw_ordinary="block", log_channel=str(log.id))
    for present, posts in ((False, 1), (False, 1), (True, 1), (False, 2)):
        easel.detector.present = present
        await easel.ask("imagine", prompt="a cat")
        texts = [message.content for message in log.history()]
        assert [text.startswith("The picture check does not work") for text in texts] == (
            [True] * posts
        )


async def test_a_log_channel_that_is_closed_stops_nothing(easel, rules):
    log = easel.guild.create_text_channel("log")
    await rules(nsfw_ordinary="hold", log_channel=str(log.id))
    easel.env.inject_error("POST", f"/channels/{log.id}/messages", status=403, code=50013)
    easel.detector.scores = [0.9]
    await easel.ask("imagine", prompt="a cat")
    await easel.finish()
    assert "waits for a moderator" in easel.messages()[-1].content
