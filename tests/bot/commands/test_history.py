from __future__ import annotations

import io

import pytest
from PIL import Image

from storage.moderation import ScreeningRecord, Verdict
from tests.doubles.cards import labels, press, walk_parts

GALLERY = 12


async def made(easel, member=None, **options):
    result = await easel.ask(member=member, **options)
    await easel.finish()
    return result


async def test_nothing_yet(easel):
    result = await easel.ask_plain("history")
    assert result.ephemeral
    assert "You have made nothing yet" in result.response.content


async def test_my_jobs_newest_first_and_nobody_elses(easel):
    await made(easel, prompt="first")
    result = await made(easel, prompt="second")
    await press(easel.alice, result.response, label="Again")
    await easel.finish()
    await made(easel, easel.bob, prompt="private")
    shown = await easel.ask_plain("history")
    assert shown.ephemeral
    _, again, second, first, _ = shown.response.content.splitlines()
    assert "`first`" in first
    assert "`second`" in second
    assert (
        f"from …{(await easel.jobs.reader.list_by_owner(str(easel.alice.id)))[1].id[-4:]}" in again
    )


def gallery_of(message):
    (gallery,) = [part for part in walk_parts(message.components) if part["type"] == GALLERY]
    return gallery["items"]


async def several(easel, count):
    for number in range(count):
        await made(easel, prompt=f"apple {number}")


async def test_pages_of_nine_thumbnails_lead_to_older_and_newer_ones(easel):
    await several(easel, 20)
    shown = await easel.ask_plain("history")
    assert shown.ephemeral
    assert "1 to 9 of 20" in shown.response.content
    assert len(gallery_of(shown.response)) == 9
    assert labels(shown.response) == ["Pick one", "Older", "Starred first"]
    await press(easel.alice, shown.response, label="Older")
    assert "10 to 18 of 20" in shown.response.content
    assert labels(shown.response) == ["Pick one", "Newer", "Older", "Starred first"]
    await easel.restart()
    await press(easel.alice, shown.response, label="Older")
    assert "19 to 20 of 20" in shown.response.content
    assert len(gallery_of(shown.response)) == len(shown.response.attachments) == 2
    assert labels(shown.response) == ["Pick one", "Newer", "Starred first"]
    await press(easel.alice, shown.response, label="Newer")
    assert "10 to 18 of 20" in shown.response.content


async def test_a_page_keeps_within_what_discord_takes(easel):
    await several(easel, 20)
    await easel.core.database.execute(
        "UPDATE job SET params = json_set(params, '$.prompt', :words)", {"words": "ab" * 3000}
    )
    shown = await easel.ask_plain("history")
    await press(easel.alice, shown.response, label="Older")
    parts = list(walk_parts(shown.response.components))
    assert len(parts) <= 40
    assert sum(len(part.get("content", "")) for part in parts) <= 4000


async def test_a_page_of_which_nothing_is_left_says_so(easel):
    await several(easel, 12)
    shown = await easel.ask_plain("history")
    await easel.jobs.retention.forget_owner(str(easel.alice.id))
    await press(easel.alice, shown.response, label="Older")
    assert "You have made nothing yet" in shown.response.content
    assert not shown.response.attachments


async def test_thumbnails_are_whole_numbered_and_said_in_words(easel):
    await easel.ask(prompt="a red apple")
    await easel.finish(size=(64, 32))
    shown = await easel.ask_plain("history")
    (item,) = gallery_of(shown.response)
    assert item["description"].startswith("1: img2img: a red apple")
    (file,) = shown.response.attachments
    with Image.open(io.BytesIO(await file.read())) as thumbnail:
        assert thumbnail.size == (256, 256)
        assert thumbnail.convert("RGBA").getpixel((128, 20))[3] == 0
        assert thumbnail.convert("RGBA").getpixel((128, 128))[3] == 255


@pytest.mark.parametrize("verdict", [Verdict.BLOCKED, Verdict.SPOILER])
async def test_what_may_not_be_seen_has_no_thumbnail(easel, verdict):
    await made(easel, prompt="a red apple")
    record = await easel.only_job()
    await easel.moderation.save_screening(record.id, ScreeningRecord(verdict=verdict, reason="x"))
    shown = await easel.ask_plain("history")
    if verdict is Verdict.BLOCKED:
        assert not shown.response.attachments
    else:
        assert [item["spoiler"] for item in gallery_of(shown.response)] == [True]
    assert f"…{record.id[-4:]}" in shown.response.content


async def test_what_failed_masks_and_descriptions_are_no_pictures(easel):
    await easel.ask("interrogate")
    await easel.finish(images=0, text="a red apple")
    await easel.ask("preview", mask_shape="left 30%")
    await easel.finish()
    shown = await easel.ask_plain("history")
    assert "You have made nothing yet" in shown.response.content


async def test_a_picked_result_goes_on_in_this_channel(easel):
    await made(easel, prompt="a red apple", seed=5)
    record = await easel.only_job()
    shown = await easel.ask_plain("history")
    picked = await easel.alice.select(shown.response, [record.id])
    assert picked.ephemeral
    links = [part["url"] for part in walk_parts(picked.response.components) if part.get("url")]
    assert links == [
        f"https://discord.com/channels/{easel.guild.id}/{easel.channel.id}/{record.message}"
    ]
    elsewhere = easel.guild.create_text_channel("elsewhere")
    opened = await easel.alice.slash(elsewhere, "history", job=record.id)
    posted = await press(easel.alice, opened.response, label="Continue here")
    assert not posted.ephemeral
    assert len(posted.response.attachments) == 1
    again = await press(easel.alice, posted.response, label="Again")
    assert not again.ephemeral
    child = await easel.jobs.reader.get_job(easel.service.job.job_id)
    assert child.parent == record.id
    posts = await easel.moderation.list_posts(record.id)
    assert [channel for channel, _ in posts] == [elsewhere.id]


async def test_a_star_brings_a_result_to_the_front(easel):
    await several(easel, 11)
    (*_, oldest) = await easel.jobs.reader.list_by_owner(str(easel.alice.id))
    picked = await easel.ask_plain("history", job=oldest.id)
    await press(easel.alice, picked.response, label="Star")
    assert "Take the star off" in labels(picked.response)
    assert len(picked.response.attachments) == 1
    shown = await easel.ask_plain("history")
    await easel.restart()
    await press(easel.alice, shown.response, label="Starred first")
    assert f"**1** ⭐ …{oldest.id[-4:]}" in shown.response.content
    await press(easel.alice, shown.response, label="Older")
    assert "10 to 11 of 11" in shown.response.content
    assert "Newest first" in labels(shown.response)
    await press(easel.alice, picked.response, label="Take the star off")
    assert await easel.jobs.reader.list_starred([oldest.id]) == set()


async def test_nobody_elses_result_gets_a_star(easel):
    await made(easel)
    record = await easel.only_job()
    refused = await easel.ask_plain("history", easel.bob, job=record.id, star=True)
    assert refused.ephemeral
    assert await easel.jobs.reader.list_starred([record.id]) == set()
    await easel.ask_plain("history", job=record.id, star=True)
    assert await easel.jobs.reader.list_starred([record.id]) == {record.id}
    await easel.jobs.retention.forget_owner(str(easel.alice.id))
    assert await easel.jobs.reader.list_starred([record.id]) == set()


async def test_a_result_is_posted_by_a_command(easel):
    await easel.ask(batch=3, seed=5)
    await easel.finish(images=3)
    record = await easel.only_job()
    posted = await easel.ask_plain("history", job=record.id, picture=2, here=True)
    assert not posted.ephemeral
    assert "Picture 2 of 3." in posted.response.content


async def test_it_does_not_go_on_where_results_may_not_be_shown(easel):
    await made(easel, prompt="a red apple")
    record = await easel.only_job()
    opened = await easel.ask_plain("history", job=record.id)
    await easel.guilds.change_settings(
        str(easel.guild.id), str(easel.bob.id), {"banned_words": ["apple"]}
    )
    refused = await press(easel.alice, opened.response, label="Continue here")
    assert refused.ephemeral
    assert "apple" in refused.response.content


async def test_one_opens_again_with_its_picture_and_buttons(easel):
    await made(easel, prompt="a red apple", seed=5)
    record = await easel.only_job()
    shown = await easel.ask_plain("history")
    await easel.restart()
    opened = await easel.alice.select(shown.response, [record.id])
    assert opened.ephemeral
    assert len(opened.response.attachments) == 1
    assert "seed `5`" in opened.response.content
    again = await press(easel.alice, opened.response, label="Again")
    assert not again.ephemeral
    assert easel.service.job.params["prompt"] == "a red apple"


async def test_one_that_was_forgotten_meanwhile(easel):
    await made(easel)
    record = await easel.only_job()
    shown = await easel.ask_plain("history")
    await easel.jobs.retention.forget_owner(str(easel.alice.id))
    opened = await easel.alice.select(shown.response, [record.id])
    assert "no longer stored" in opened.response.content


async def test_one_by_its_id_with_what_came_of_it(easel):
    first = await made(easel, prompt="a red apple")
    root = await easel.only_job()
    await press(easel.alice, first.response, label="Vary")
    await easel.finish()
    await press(easel.alice, first.response, label="Upscale 2×")
    await easel.finish()
    (upscaled, varied, _) = await easel.jobs.reader.list_by_owner(str(easel.alice.id))
    shown = await easel.ask_plain("history", job=varied.id)
    card, (tree,) = shown.response, shown.followups
    assert card.ephemeral
    assert tree.ephemeral
    assert len(card.attachments) == 1
    _, *lines = tree.content.splitlines()
    assert [line[: line.index(" **")] for line in lines] == [
        f"…{root.id[-4:]}",
        f"└ …{varied.id[-4:]}",
        f"└ …{upscaled.id[-4:]}",
    ]
    assert [line.endswith("this one") for line in lines] == [False, True, False]


async def test_one_picture_of_a_batch(easel):
    await easel.ask(batch=3, seed=5)
    await easel.finish(images=3)
    record = await easel.only_job()
    shown = await easel.ask_plain("history", job=record.id, picture=2)
    card = shown.response
    original = await press(easel.alice, card, label="Original")
    (file,) = original.response.attachments
    assert await file.read() == await easel.blobs.get(record.result["pictures"][1]["key"])
    assert "Picture 2 of 3." in card.content


async def test_the_parameters_of_one(easel):
    await made(easel, prompt="a red apple")
    record = await easel.only_job()
    shown = await easel.ask_plain("history", job=record.id, parameters=True)
    assert shown.ephemeral
    assert "Steps: 20" in shown.response.content
    (file,) = shown.response.attachments
    assert "strength: 0.75" in (await file.read()).decode()


async def test_somebody_elses_is_not_shown(easel):
    await made(easel)
    record = await easel.only_job()
    shown = await easel.ask_plain("history", easel.bob, job=record.id)
    assert shown.ephemeral
    assert "Ask for one of your own" in shown.response.content


async def test_a_job_is_shown_by_the_end_of_its_id(easel):
    await made(easel, prompt="a red apple")
    record = await easel.only_job()
    shown = await easel.ask_plain("history", job=record.id[-4:])
    assert "a red apple" in shown.response.content
