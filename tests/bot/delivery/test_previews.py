"""Looks at an unfinished picture on the card of its job."""

from __future__ import annotations

import pytest

from bot.delivery.progress import EDIT_INTERVAL_SECONDS, MAX_PREVIEW_BYTES
from storage.records import JobState

LOOK = b"\xff\xd8 a small picture"


@pytest.fixture
def look(easel):
    path = easel.service.outbox.resolve() / "tmp-preview.jpg"
    path.write_bytes(LOOK)
    return path


def attached(card) -> list[str]:
    return [file.filename for file in card.response.attachments]


async def step(easel, number: int, preview=None) -> None:
    await easel.env.advance_time(EDIT_INTERVAL_SECONDS + 0.1)
    easel.service.progress(number, 20, preview=preview)
    await easel.env.settle()


async def test_the_card_shows_the_unfinished_picture_until_the_result_replaces_it(easel, look):
    card = await easel.ask()
    await step(easel, 5, look)
    assert attached(card) == ["unfinished.jpg"]
    (shown,) = card.response.attachments
    assert shown.description == "The unfinished picture at step 5 of 20"
    await step(easel, 8)
    assert attached(card) == ["unfinished.jpg"]
    assert "step 8 of 20" in card.response.content
    await easel.finish()
    (name,) = attached(card)
    assert name.startswith("easel-img2img-")


async def test_a_preview_between_two_edits_is_kept_for_the_next(easel, look):
    card = await easel.ask()
    await step(easel, 1)
    easel.service.progress(5, 20, preview=look)
    await easel.env.settle()
    assert attached(card) == []
    await step(easel, 6)
    assert attached(card) == ["unfinished.jpg"]


async def test_a_cancelled_and_a_failed_job_keep_no_unfinished_picture(easel, look):
    card = await easel.ask()
    await step(easel, 5, look)
    await easel.services.dispatcher.cancel_job((await easel.only_job()).id, None)
    await easel.env.settle()
    assert attached(card) == []

    card = await easel.ask()
    await step(easel, 5, look)
    assert attached(card) == ["unfinished.jpg"]
    easel.service.fail("It cannot be done.")
    await easel.env.settle()
    assert attached(card) == []


async def test_where_it_may_not_be_seen_only_the_words_are(easel, look):
    await easel.guilds.change_settings(str(easel.guild.id), "1", {"nsfw_ordinary": "spoiler"})
    card = await easel.ask()
    await step(easel, 5, look)
    assert attached(card) == []
    assert "step 5 of 20" in card.response.content


@pytest.mark.parametrize("content", [None, b"x" * (MAX_PREVIEW_BYTES + 1)])
async def test_a_file_that_is_gone_or_none_of_ours_is_passed_over(easel, look, content):
    look.unlink()
    if content is not None:
        look.write_bytes(content)
    card = await easel.ask()
    await step(easel, 5, look)
    assert attached(card) == []
    assert "step 5 of 20" in card.response.content


async def test_an_upload_that_fails_costs_nothing_but_the_look(easel, look):
    card = await easel.ask()
    easel.env.inject_error("PATCH", "/webhooks/*", status=500)
    await step(easel, 5, look)
    assert attached(card) == []
    await easel.finish()
    assert JobState.DONE is (await easel.only_job()).state
    assert len(attached(card)) == 1


async def test_a_preview_is_read_in_the_outbox_alone(easel, tmp_path):
    secret = tmp_path / ".env"
    secret.write_bytes(LOOK)
    link = easel.service.outbox.resolve() / "tmp-preview.jpg"
    link.symlink_to(secret)
    card = await easel.ask()
    for preview in (secret, link):
        await step(easel, 5, preview)
        assert attached(card) == []
