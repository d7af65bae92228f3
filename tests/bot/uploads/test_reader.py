from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import discord
import pytest

from bot.errors import AttachmentDeleted, EmptyFile, FileTooLarge, NotAnImage
from bot.uploads.pool import DecoderPool
from bot.uploads.reader import AttachmentReader
from bot.uploads.validation import FIRST_FRAME_NOTE, ImageLimits
from tests.doubles.pictures import animation, png


@pytest.fixture(scope="module")
def reader() -> Iterator[AttachmentReader]:
    reader = AttachmentReader(DecoderPool(ImageLimits(max_bytes=100_000, max_pixels=10_000)))
    yield reader
    reader.close()


def attached(
    data: bytes, name: str = "photo.png", kind: str | None = "image/png", size: int | None = None
) -> Any:
    attachment = create_autospec(discord.Attachment, instance=True, spec_set=False)
    attachment.filename, attachment.content_type = name, kind
    attachment.size = len(data) if size is None else size
    attachment.read.return_value = data
    return attachment


async def test_a_picture_is_fetched_and_checked(reader):
    image = await reader.read_image(attached(png((30, 20))))
    assert (image.width, image.height, image.notes) == (30, 20, ())


async def test_notes_come_along(reader):
    image = await reader.read_image(attached(animation("GIF"), "film.gif", "image/gif"))
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
async def test_what_discord_says_of_it_is_enough_to_refuse(reader, attachment, refusal):
    with pytest.raises(refusal):
        reader.precheck_attachment(attachment)
    with pytest.raises(refusal):
        await reader.read_image(attachment)
    attachment.read.assert_not_called()


@pytest.mark.parametrize("kind", [None, "application/octet-stream", "image/x-unknown"])
def test_a_doubtful_type_is_left_to_the_content(reader, kind):
    reader.precheck_attachment(attached(png(), kind=kind))


async def test_the_content_decides(reader):
    with pytest.raises(NotAnImage, match="is not a picture"):
        await reader.read_image(attached(b"plain words"))


async def test_discord_may_say_less_than_it_sends(reader):
    with pytest.raises(FileTooLarge):
        await reader.read_image(attached(b"x" * 100_001, size=10))


async def test_a_file_that_is_gone(reader):
    attachment = attached(png())
    response = SimpleNamespace(status=404, reason="Not Found")
    attachment.read.side_effect = discord.NotFound(response, "gone")
    with pytest.raises(AttachmentDeleted, match="Attach it again"):
        await reader.read_image(attachment)
