"""What is sent for an ended job: words, files and buttons."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import discord

from bot import texts, views
from bot.delivery.packing import MAX_REQUEST, Packed, pack
from bot.delivery.sheet import make_sheet
from bot.locales import said, say
from bot.results import RESULT, is_batch, pictures_of
from bot.texts.made import kept_original, sheet_alt_text, sheet_help
from storage.blobs import BlobStore
from storage.errors import BlobMissing
from storage.moderation import Screening
from storage.records import JobRecord, JobState

MAX_FILES = 10  # Discord's limit for one message
ROLES = (RESULT, "animation", "sheet", "frame")
"""Roles of pictures, the most telling first."""

Pictures = Sequence[Mapping[str, Any]]
NO_CAPTIONS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Upload:
    """One file of a message."""

    name: str
    data: bytes
    description: str
    #: Whether it is hidden until somebody wants to see it.
    spoiler: bool = False

    def file(self) -> discord.File:
        """Return a fresh file; discord.py uses each up in one sending."""
        return discord.File(
            io.BytesIO(self.data), self.name, spoiler=self.spoiler, description=self.description
        )


@dataclass(frozen=True)
class Outgoing:
    """One message about an ended job."""

    record: JobRecord
    content: str
    uploads: tuple[Upload, ...] = ()
    #: Which picture of a batch it shows, from 1; None for the whole result.
    number: int | None = None
    #: Whether its pictures are kept back, and the buttons with them.
    is_withheld: bool = False

    def files(self) -> list[discord.File]:
        """Return fresh files."""
        return [upload.file() for upload in self.uploads]

    def view(self) -> discord.ui.View:
        """Return the buttons under it."""
        if self.is_withheld:
            empty = {**(self.record.result or {}), "pictures": []}
            return views.for_ended(replace(self.record, result=empty))
        if self.number is not None:
            return views.for_picture(self.record, self.number)
        return views.for_ended(self.record)

    def hidden(self) -> Outgoing:
        """Return it with its files hidden until somebody wants to see them."""
        return replace(self, uploads=tuple(replace(one, spoiler=True) for one in self.uploads))


def withheld(record: JobRecord, screening: Screening) -> Outgoing:
    """Make the message for a result that is not shown, without the buttons of its pictures."""
    return Outgoing(record, texts.withheld(record, screening), is_withheld=True)


async def compose(
    record: JobRecord,
    blobs: BlobStore,
    file_limit: int,
    origin: str = "",
    captions: Mapping[str, str] = NO_CAPTIONS,
) -> Outgoing:
    """Make the message for a job that ended, with files of at most `file_limit` bytes.

    `origin` links to the message of the job that it was made from; `captions` are the words that
    descriptions found for pictures, by their keys.
    """
    if record.state is JobState.FAILED:
        return Outgoing(record, texts.failed(record))
    if record.state is JobState.CANCELLED:
        return Outgoing(record, texts.cancelled(record))
    uploads, notes = await _uploads(record, blobs, file_limit, captions)
    text = str((record.result or {}).get("text") or "")
    if texts.is_cut(text) and len(uploads) < MAX_FILES:
        name = f"easel-{record.kind}-{record.id[-6:]}.txt"
        uploads.append(
            Upload(
                name, text.encode(), say("All words of this {kind}", kind=texts.title(record.kind))
            )
        )
    return Outgoing(record, texts.result(record, notes, origin), tuple(uploads))


async def compose_one(
    record: JobRecord,
    number: int,
    blobs: BlobStore,
    file_limit: int,
    origin: str = "",
    captions: Mapping[str, str] = NO_CAPTIONS,
) -> Outgoing:
    """Make the message that shows one picture of a batch, counted from 1, as it was made.

    Raises:
        BlobMissing: it is no longer stored.
    """
    pictures = pictures_of(record)
    picture = pictures[number - 1]
    packed = await _packed([picture], blobs, min(file_limit, MAX_REQUEST))
    alone = replace(record, result={**(record.result or {}), "pictures": [picture], "notes": []})
    lines = [
        say("Picture {number} of {count}.", number=number, count=len(pictures)),
        *_dropped(record, [packed]),
    ]
    alt = texts.alt_text(record, number, len(pictures), captions.get(picture["key"], ""))
    upload = _upload(record, number, packed, alt)
    return Outgoing(record, texts.result(alone, lines, origin), (upload,), number)


async def _uploads(
    record: JobRecord, blobs: BlobStore, file_limit: int, captions: Mapping[str, str]
) -> tuple[list[Upload], list[str]]:
    """Pack what one message can show: a batch as one contact sheet, all else on its own."""
    made = sorted((record.result or {}).get("pictures") or (), key=_rank)
    batch = pictures_of(record) if is_batch(record) else []
    shown: list[Pictures] = [batch] if batch else []
    shown += [[picture] for picture in made if picture not in batch]
    left = len(shown) - MAX_FILES
    shown = shown[:MAX_FILES]
    limit = min(file_limit, MAX_REQUEST // max(1, len(shown)))
    uploads: list[Upload] = []
    dropped: list[Packed] = []
    notes: list[str] = [sheet_help(len(batch))] if batch else []
    for number, pictures in enumerate(shown, start=1):
        try:
            packed = await _packed(pictures, blobs, limit)
        except BlobMissing:
            notes.append(say("Picture {number} is no longer stored.", number=number))
            continue
        caption = captions.get(pictures[0]["key"], "")
        alt = texts.alt_text(record, number, len(shown), caption)
        if len(pictures) > 1:
            alt = sheet_alt_text(record, len(pictures))
        uploads.append(_upload(record, number, packed, alt))
        dropped.append(packed)
    notes += _dropped(record, dropped)
    if left > 0:
        notes.append(say("{count} more pictures do not fit into one message.", count=left))
    return uploads, list(dict.fromkeys(note for note in notes if note))


def _dropped(record: JobRecord, shown: Iterable[Packed]) -> list[str]:
    """Say what was dropped to make files small enough, and where nothing is."""
    notes = list(dict.fromkeys(str(said(packed.note)) for packed in shown if packed.note))
    return [*notes, kept_original(record)] if notes else []


def _rank(picture: Mapping[str, Any]) -> int:
    """Put results before the frames and masks that led to them; equal ones keep their order."""
    role = picture.get("role", RESULT)
    return ROLES.index(role) if role in ROLES else len(ROLES)


def _upload(record: JobRecord, number: int, packed: Packed, alt: str) -> Upload:
    name = f"easel-{record.kind}-{record.id[-6:]}-{number}.{packed.suffix}"
    return Upload(name, packed.data, alt)


async def _packed(pictures: Pictures, blobs: BlobStore, limit: int) -> Packed:
    """Fetch a picture, or a sheet of several, as a file of at most `limit` bytes."""
    files = [await blobs.get(picture["key"]) for picture in pictures]
    infotext = str(pictures[0].get("infotext") or "")
    media_type = str(pictures[0].get("media_type", "image/png"))
    data = files[0]
    if len(files) > 1:
        data = await asyncio.to_thread(make_sheet, files, infotext)
    if len(data) <= limit:
        return Packed(data, media_type.rpartition("/")[2].replace("jpeg", "jpg"))
    return await asyncio.to_thread(pack, data, limit, infotext)
