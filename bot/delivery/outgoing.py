"""What is sent for an ended job: words, files and buttons."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import discord

from bot import texts, views
from bot.delivery.packing import MAX_REQUEST, Packed, pack
from storage.blobs import BlobStore
from storage.errors import BlobMissing
from storage.records import JobRecord, JobState

MAX_FILES = 10  # Discord's limit for one message
RESULT = "result"
ROLES = (RESULT, "animation", "sheet", "frame")
"""Roles of pictures, the most telling first."""


@dataclass(frozen=True)
class Upload:
    """One file of a message."""

    name: str
    data: bytes
    description: str

    def file(self) -> discord.File:
        """Return a fresh file; discord.py uses each up in one sending."""
        return discord.File(io.BytesIO(self.data), self.name, description=self.description)


@dataclass(frozen=True)
class Outgoing:
    """One message about an ended job."""

    record: JobRecord
    content: str
    uploads: tuple[Upload, ...] = ()

    def files(self) -> list[discord.File]:
        """Return fresh files."""
        return [upload.file() for upload in self.uploads]

    def view(self) -> discord.ui.View:
        """Return the buttons under it."""
        return views.for_ended(self.record)


async def compose(
    record: JobRecord, blobs: BlobStore, file_limit: int, origin: str = ""
) -> Outgoing:
    """Make the message for a job that ended, with files of at most `file_limit` bytes.

    `origin` links to the message of the job that it was made from.
    """
    if record.state is JobState.FAILED:
        return Outgoing(record, texts.failed(record))
    if record.state is JobState.CANCELLED:
        return Outgoing(record, texts.cancelled(record))
    uploads, notes = await _uploads(record, blobs, file_limit)
    text = str((record.result or {}).get("text") or "")
    if texts.is_cut(text) and len(uploads) < MAX_FILES:
        name = f"easel-{record.kind}-{record.id[-6:]}.txt"
        uploads.append(Upload(name, text.encode(), f"All words of this {record.kind}"))
    return Outgoing(record, texts.result(record, notes, origin), tuple(uploads))


async def _uploads(
    record: JobRecord, blobs: BlobStore, file_limit: int
) -> tuple[list[Upload], list[str]]:
    made = sorted((record.result or {}).get("pictures") or (), key=_rank)
    pictures = made[:MAX_FILES]
    limit = min(file_limit, MAX_REQUEST // max(1, len(pictures)))
    uploads: list[Upload] = []
    notes: list[str] = []
    for number, picture in enumerate(pictures, start=1):
        try:
            packed = await _packed(picture, blobs, limit)
        except BlobMissing:
            notes.append(f"Picture {number} is no longer stored.")
            continue
        name = f"easel-{record.kind}-{record.id[-6:]}-{number}.{packed.suffix}"
        alt = texts.alt_text(record, number, len(pictures))
        uploads.append(Upload(name, packed.data, alt))
        notes.append(packed.note)
    if len(made) > len(pictures):
        notes.append(f"{len(made) - len(pictures)} more pictures do not fit into one message.")
    return uploads, list(dict.fromkeys(note for note in notes if note))


def _rank(picture: Mapping[str, Any]) -> int:
    """Put results before the frames and masks that led to them; equal ones keep their order."""
    role = picture.get("role", RESULT)
    return ROLES.index(role) if role in ROLES else len(ROLES)


async def _packed(picture: Mapping[str, Any], blobs: BlobStore, limit: int) -> Packed:
    data = await blobs.get(picture["key"])
    suffix = str(picture.get("media_type", "image/png")).rpartition("/")[2].replace("jpeg", "jpg")
    if len(data) <= limit:
        return Packed(data, suffix)
    return await asyncio.to_thread(pack, data, limit, str(picture.get("infotext") or ""))
