"""What a worker packed for showing is shown; where there is none that fits, the bot packs."""

from __future__ import annotations

import pytest

from bot.delivery import message_builder
from bot.delivery.compression import MAX_REQUEST_BYTES
from bot.requests.reply_target import ReplyTarget
from tests.doubles.images import encoded, noise

SIZE = (400, 400)
PNG = encoded(noise(SIZE))
COPY = encoded(noise(SIZE), "WEBP", quality=60)
LIMIT = 350_000  # between the two


@pytest.fixture
def packed_by_bot(monkeypatch):
    """How often the bot packed a picture itself."""
    calls = []
    compress = message_builder.compress_to_limit

    def note_call(*arguments):
        calls.append(arguments[1])
        return compress(*arguments)

    monkeypatch.setattr(message_builder, "compress_to_limit", note_call)
    return calls


async def ask_where_little_fits(easel, limit=LIMIT):
    card = await easel.ask()
    record = await easel.only_job()
    place = ReplyTarget.from_json(record.reply_to)
    small = ReplyTarget(**{**vars(place), "file_limit": limit})
    await easel.services.jobs.deliveries.update_reply_to(record.id, small.to_json())
    return card


async def test_a_job_names_what_its_place_takes(easel):
    await easel.ask()

    display = easel.service.job.display
    place = ReplyTarget.from_json((await easel.only_job()).reply_to)
    assert (display.file_bytes, display.message_bytes) == (place.file_limit, MAX_REQUEST_BYTES)


async def test_the_worker_s_copy_is_shown_and_says_what_it_lost(easel, packed_by_bot):
    card = await ask_where_little_fits(easel)
    await easel.finish(file=PNG, copy=COPY, size=SIZE)

    (attachment,) = card.response.attachments
    assert attachment.filename.endswith("-1.webp")
    assert attachment.size == len(COPY)
    assert packed_by_bot == []
    assert "shown as WebP of quality 95." in card.response.content
    (image,) = (await easel.only_job()).result["pictures"]
    assert await easel.blobs.get(image["key"]) == PNG


async def test_a_copy_that_lost_nothing_says_nothing(easel, packed_by_bot):
    card = await ask_where_little_fits(easel)
    await easel.finish(file=PNG, copy=COPY, size=SIZE, quality=0)

    assert "Too large" not in card.response.content
    assert packed_by_bot == []


async def test_what_fits_is_shown_as_it_is(easel):
    card = await easel.ask()
    await easel.finish(file=PNG, copy=COPY, size=SIZE)

    (attachment,) = card.response.attachments
    assert (attachment.filename[-4:], attachment.size) == (".png", len(PNG))


@pytest.mark.parametrize("copy", [None, PNG + bytes(10)], ids=["none", "too large"])
async def test_without_a_copy_that_fits_the_bot_packs(easel, packed_by_bot, copy):
    card = await ask_where_little_fits(easel)
    await easel.finish(file=PNG, copy=copy, size=SIZE)

    (attachment,) = card.response.attachments
    assert attachment.size <= LIMIT
    assert packed_by_bot == [LIMIT]


async def test_a_copy_that_is_gone_is_packed_anew(easel, packed_by_bot, monkeypatch):
    card = await ask_where_little_fits(easel)
    copies = []
    load_copy = message_builder._load_copy

    async def lose_copy(image, blobs, limit):
        blobs.path_of(image["copy"]["key"]).write_bytes(bytes(100))
        copies.append(image["copy"])
        return await load_copy(image, blobs, limit)

    monkeypatch.setattr(message_builder, "_load_copy", lose_copy)
    await easel.finish(file=PNG, copy=COPY, size=SIZE)

    (attachment,) = card.response.attachments
    assert copies
    assert packed_by_bot == [LIMIT]
    assert attachment.size <= LIMIT
