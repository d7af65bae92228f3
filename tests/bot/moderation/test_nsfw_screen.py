"""Pictures that are not for everybody, on their way in and out."""

from __future__ import annotations

import discord
import pytest


@pytest.fixture
def rules(house):
    async def change(**values):
        await house.guilds.change_settings(str(house.guild.id), "1", values)

    return change


@pytest.fixture
def age_restricted(monkeypatch):
    monkeypatch.setattr(discord.TextChannel, "is_nsfw", lambda self: True)


def said(result):
    return (result.followups or [result.response])[-1].content


async def test_without_the_setting_nothing_is_checked(house):
    await house.ask()
    await house.finish()
    assert house.detector.asked == 0


async def test_a_harmless_result_is_shown_and_looked_at_once(house, rules):
    await rules(nsfw_ordinary="block")
    await house.ask()
    await house.finish()
    assert len(house.messages()[-1].attachments) == 1
    assert house.detector.asked == 2  # what went in and what came out
    await house.services.message_builder.build_message(await house.only_job(), 10**6)
    assert house.detector.asked == 2


@pytest.mark.parametrize(
    ("action", "words"),
    [("block", "⛔ This result is not shown"), ("hold", "⏳ This result waits for a moderator")],
)
async def test_a_result_that_is_withheld_shows_neither_picture_nor_its_buttons(
    house, rules, action, words
):
    await rules(nsfw_ordinary=action)
    result = await house.ask(prompt="a cat")
    house.detector.scores = [0.95]
    await house.finish()
    assert words in result.response.content
    assert "a cat" not in result.response.content
    assert result.response.attachments == []
    labels = [item.label for row in house.messages()[-1].components for item in row.children]
    assert "Delete" in labels
    assert not {"Upscale 2×", "Describe", "Parameters", "Report"} & set(labels)


async def test_a_spoiler(house, rules):
    await rules(nsfw_ordinary="spoiler")
    result = await house.ask()
    house.detector.scores = [0.95]
    await house.finish()
    (file,) = result.response.attachments
    assert file.filename.startswith("SPOILER_")
    assert "easel-img2img" in file.filename


async def test_the_threshold_is_the_servers(house, rules):
    await rules(nsfw_ordinary="block", nsfw_threshold=0.5)
    result = await house.ask()
    house.detector.scores = [0.5]
    await house.finish()
    assert "not shown" in result.response.content


async def test_one_picture_of_a_batch_is_enough(house, rules):
    await rules(nsfw_ordinary="block")
    result = await house.ask(batch=3)
    house.detector.scores = [0.1, 0.9, 0.1]
    await house.finish(images=3)
    assert result.response.attachments == []


async def test_what_is_withheld_is_not_in_the_history_either(house, rules):
    await rules(nsfw_ordinary="block")
    await house.ask()
    house.detector.scores = [0.95]
    await house.finish()
    await rules(nsfw_ordinary=None)
    listed = await house.ask_plain("history")
    record = await house.only_job()
    shown = await house.alice.select(listed.response, [record.id])
    assert "not shown" in shown.response.content
    assert shown.response.attachments == []


async def test_an_explicit_picture_is_not_worked_on(house, rules):
    await rules(nsfw_ordinary="block")
    house.detector.scores = [0.9]
    assert "not worked on here" in said(await house.ask())
    assert await house.count() == 0
    assert house.messages() == []


async def test_where_results_are_held_pictures_are_taken_in(house, rules):
    await rules(nsfw_ordinary="hold")
    house.detector.scores = [0.9]
    await house.ask()
    assert await house.count() == 1


async def test_without_a_detector_the_check_fails_closed(house, rules):
    await house.ask()
    await rules(nsfw_ordinary="spoiler")
    house.detector.present = False
    assert "the check does not work at the moment" in said(await house.ask())
    await house.finish()
    assert "/history shows it when the check works again" in house.messages()[-1].content
    house.detector.present = True
    outgoing = await house.services.message_builder.build_message(await house.only_job(), 10**6)
    assert len(outgoing.uploads) == 1


async def test_in_age_restricted_channels_it_has_its_own_rule(house, rules, age_restricted):
    await rules(nsfw_ordinary="block")
    house.detector.scores = [0.95, 0.95]
    result = await house.ask()
    await house.finish()
    assert len(result.response.attachments) == 1
    assert house.detector.asked == 0
    await rules(nsfw_restricted="spoiler")
    result = await house.ask()
    house.detector.scores = [0.95]
    await house.finish()
    assert result.response.attachments[0].filename.startswith("SPOILER_")


async def test_in_age_restricted_channels_a_missing_detector_stops_nothing(
    house, rules, age_restricted
):
    await rules(nsfw_restricted="block")
    house.detector.present = False
    result = await house.ask()
    await house.finish()
    assert len(result.response.attachments) == 1


@pytest.mark.parametrize("where", ["channel", "direct message"])
async def test_words_that_came_later_count_everywhere(house, where):
    """A wildcard or a caption may have added to the prompt what its member did not write."""
    house.settings.wordlists_path.mkdir()
    (house.settings.wordlists_path / "who.txt").write_text("a child\n")
    if where == "channel":
        await house.ask("imagine", prompt="nude, __who__")
    else:
        await house.alice.user.slash("imagine", prompt="nude, __who__")
    house.service.infotext = "nude, a child\nNegative prompt: hat\nSteps: 20"
    await house.finish()
    (record,) = await house.jobs.reader.list_by_owner(str(house.alice.id))
    outgoing = await house.services.message_builder.build_message(record, 10**6)
    assert "sexual picture of minors" in outgoing.content
    assert outgoing.uploads == ()


async def test_the_negative_prompt_of_a_result_is_free(house):
    await house.ask("imagine", prompt="a nude")
    house.service.infotext = "a nude\nNegative prompt: child\nSteps: 20"
    await house.finish()
    outgoing = await house.services.message_builder.build_message(await house.only_job(), 10**6)
    assert len(outgoing.uploads) == 1


async def test_the_log_channel_is_told(house, rules):
    log = house.guild.create_text_channel("log")
    await rules(nsfw_ordinary="block", log_channel=str(log.id))
    await house.ask("imagine", prompt="a nude child")
    assert "was refused" in log.history()[-1].content
    house.detector.scores = [0.9]
    await house.ask("imagine", prompt="a cat")
    await house.finish()
    assert "was not shown" in log.history()[-1].content
    assert str(house.channel.id) in log.history()[-1].content


async def test_a_log_channel_that_is_closed_stops_nothing(house, rules):
    log = house.guild.create_text_channel("log")
    await rules(nsfw_ordinary="hold", log_channel=str(log.id))
    house.env.inject_error("POST", f"/channels/{log.id}/messages", status=403, code=50013)
    house.detector.scores = [0.9]
    await house.ask("imagine", prompt="a cat")
    await house.finish()
    assert "waits for a moderator" in house.messages()[-1].content
