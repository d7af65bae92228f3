from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import discord
import pytest

from bot.errors import AttachmentDeleted, EmptyFile, FileTooLarge, NotAnImage
from bot.requests.image_sources import AttachmentSource
from bot.uploads.pool import DecoderPool
from bot.uploads.validation import FIRST_FRAME_NOTE, ImageLimits
from tests.doubles.images import animation, png


@pytest.fixture(scope="module")
def decoders() -> Iterator[DecoderPool]:
    decoders = DecoderPool(ImageLimits(max_bytes=100_000, max_pixels=10_000))
    yield decoders
    decoders.close()


def attached(
    data: bytes, name: str = "photo.png", kind: str | None = "image/png", size: int | None = None
) -> Any:
    attachment = create_autospec(discord.Attachment, instance=True, spec_set=False)
    attachment.filename, attachment.content_type = name, kind
    attachment.size = len(data) if size is None else size
    attachment.read.return_value = data
    return attachment


async def test_a_picture_is_fetched_and_checked(decoders):
    image = await AttachmentSource(attached(png((30, 20)))).load_image(decoders)
    assert (image.width, image.height, image.notes) == (30, 20, ())


async def test_notes_come_along(decoders):
    image = await AttachmentSource(attached(animation("GIF"), "film.gif", "image/gif")).load_image(
        decoders
    )
    assert image.notes == (FIRST_FRAME_NOTE,)


@pytest.mark.parametrize(
    ("attachment", "refusal"),
    [
        (attached(b""), EmptyFile),
        (attached(b"x", size=100_001), FileTooLarge),
        (attached(b"x", "notes.txt", "text/plain; charset=utf-8"), NotAnImage),
        (attached(b"x", "film.mp4", "video/mp4"), NotAnImage),
    ],
)
async def test_what_discord_says_of_it_is_enough_to_refuse(decoders, attachment, refusal):
    with pytest.raises(refusal):
        await AttachmentSource(attachment).check_available(decoders)
    with pytest.raises(refusal):
        await AttachmentSource(attachment).load_image(decoders)
    attachment.read.assert_not_called()


@pytest.mark.parametrize("kind", [None, "application/octet-stream", "image/x-unknown"])
async def test_a_doubtful_type_is_left_to_the_content(decoders, kind):
    await AttachmentSource(attached(png(), kind=kind)).check_available(decoders)


async def test_the_content_decides(decoders):
    with pytest.raises(NotAnImage, match="is not a picture"):
        await AttachmentSource(attached(b"plain words")).load_image(decoders)


async def test_discord_may_say_less_than_it_sends(decoders):
    with pytest.raises(FileTooLarge):
        await AttachmentSource(attached(b"x" * 100_001, size=10)).load_image(decoders)


async def test_a_file_that_is_gone(decoders):
    attachment = attached(png())
    response = SimpleNamespace(status=404, reason="Not Found")
    attachment.read.side_effect = discord.NotFound(response, "gone")
    with pytest.raises(AttachmentDeleted, match="Attach it again"):
        await AttachmentSource(attachment).load_image(decoders)
