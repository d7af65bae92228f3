"""What is sent for an ended job: words, files and buttons."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import discord

from bot import messages, views
from bot.delivery.compression import MAX_REQUEST_BYTES, CompressedFile, compress_to_limit
from bot.delivery.contact_sheet import make_contact_sheet
from bot.i18n import translate, translate_value
from bot.messages.job_details import original_kept_note, sheet_alt_text, sheet_help
from bot.requests.job_result import RESULT_ROLE, is_batch, result_images
from storage.blobs import BlobStore
from storage.errors import BlobMissing
from storage.moderation import ScreeningRecord
from storage.records import JobRecord, JobState

MAX_FILES = 10  # Discord's limit for one message
IMAGE_ROLES = (RESULT_ROLE, "animation", "sheet", "frame")
"""Roles of pictures, the most telling first."""

Images = Sequence[Mapping[str, Any]]
NO_CAPTIONS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class MessageFile:
    """One file of a message."""

    name: str
    data: bytes
    description: str
    #: Whether it is hidden until somebody wants to see it.
    spoiler: bool = False

    def discord_file(self) -> discord.File:
        """Return a fresh file; discord.py uses each up in one sending."""
        return discord.File(
            io.BytesIO(self.data), self.name, spoiler=self.spoiler, description=self.description
        )


@dataclass(frozen=True)
class ResultMessage:
    """One message about an ended job."""

    record: JobRecord
    content: str
    uploads: tuple[MessageFile, ...] = ()
    #: Which picture of a batch it shows, from 1; None for the whole result.
    number: int | None = None
    #: Whether its pictures are kept back, and the buttons with them.
    is_withheld: bool = False

    def discord_files(self) -> list[discord.File]:
        """Return fresh files."""
        return [upload.discord_file() for upload in self.uploads]

    def button_view(self) -> discord.ui.View:
        """Return the buttons under it."""
        if self.is_withheld:
            empty = {**(self.record.result or {}), "pictures": []}
            return views.view_for_ended(replace(self.record, result=empty))
        if self.number is not None:
            return views.view_for_image(self.record, self.number)
        return views.view_for_ended(self.record)

    def as_spoiler(self) -> ResultMessage:
        """Return it with its files hidden until somebody wants to see them."""
        return replace(
            self, uploads=tuple(replace(upload, spoiler=True) for upload in self.uploads)
        )


def withheld_message(record: JobRecord, screening: ScreeningRecord) -> ResultMessage:
    """Make the message for a result that is not shown, without the buttons of its pictures."""
    return ResultMessage(record, messages.withheld_card(record, screening), is_withheld=True)


async def compose_result(
    record: JobRecord,
    blobs: BlobStore,
    file_limit: int,
    origin: str = "",
    captions: Mapping[str, str] = NO_CAPTIONS,
) -> ResultMessage:
    """Make the message for a job that ended, with files of at most `file_limit` bytes.

    `origin` links to the message of the job that it was made from; `captions` are the words that
    descriptions found for pictures, by their keys.
    """
    if record.state is JobState.FAILED:
        return ResultMessage(record, messages.failed_card(record))
    if record.state is JobState.CANCELLED:
        return ResultMessage(record, messages.cancelled_card(record))
    uploads, notes = await _pack_uploads(record, blobs, file_limit, captions)
    text = str((record.result or {}).get("text") or "")
    if messages.exceeds_card(text) and len(uploads) < MAX_FILES:
        name = f"easel-{record.kind}-{record.id[-6:]}.txt"
        uploads.append(
            MessageFile(
                name,
                text.encode(),
                translate("All words of this {kind}", kind=messages.kind_title(record.kind)),
            )
        )
    return ResultMessage(record, messages.result_card(record, notes, origin), tuple(uploads))


async def compose_image(
    record: JobRecord,
    number: int,
    blobs: BlobStore,
    file_limit: int,
    origin: str = "",
    captions: Mapping[str, str] = NO_CAPTIONS,
) -> ResultMessage:
    """Make the message that shows one picture of a batch, counted from 1, as it was made.

    Raises:
        BlobMissing: it is no longer stored.
    """
    images = result_images(record)
    image = images[number - 1]
    compressed_file = await _load_compressed([image], blobs, min(file_limit, MAX_REQUEST_BYTES))
    single_record = replace(
        record, result={**(record.result or {}), "pictures": [image], "notes": []}
    )
    lines = [
        translate("Picture {number} of {count}.", number=number, count=len(images)),
        *_compression_notes(record, [compressed_file]),
    ]
    alt = messages.alt_text(record, number, len(images), captions.get(image["key"], ""))
    upload = _make_upload(record, number, compressed_file, alt)
    return ResultMessage(
        record, messages.result_card(single_record, lines, origin), (upload,), number
    )


async def _pack_uploads(
    record: JobRecord, blobs: BlobStore, file_limit: int, captions: Mapping[str, str]
) -> tuple[list[MessageFile], list[str]]:
    """Pack what one message can show: a batch as one contact sheet, all else on its own."""
    ranked_images = sorted((record.result or {}).get("pictures") or (), key=_role_rank)
    batch = result_images(record) if is_batch(record) else []
    image_groups: list[Images] = [batch] if batch else []
    image_groups += [[image] for image in ranked_images if image not in batch]
    omitted_count = len(image_groups) - MAX_FILES
    image_groups = image_groups[:MAX_FILES]
    limit = min(file_limit, MAX_REQUEST_BYTES // max(1, len(image_groups)))
    uploads: list[MessageFile] = []
    compressed_files: list[CompressedFile] = []
    notes: list[str] = [sheet_help(len(batch))] if batch else []
    for number, images in enumerate(image_groups, start=1):
        try:
            compressed_file = await _load_compressed(images, blobs, limit)
        except BlobMissing:
            notes.append(translate("Picture {number} is no longer stored.", number=number))
            continue
        caption = captions.get(images[0]["key"], "")
        alt = messages.alt_text(record, number, len(image_groups), caption)
        if len(images) > 1:
            alt = sheet_alt_text(record, len(images))
        uploads.append(_make_upload(record, number, compressed_file, alt))
        compressed_files.append(compressed_file)
    notes += _compression_notes(record, compressed_files)
    if omitted_count > 0:
        notes.append(
            translate("{count} more pictures do not fit into one message.", count=omitted_count)
        )
    return uploads, list(dict.fromkeys(note for note in notes if note))


def _compression_notes(record: JobRecord, compressed_files: Iterable[CompressedFile]) -> list[str]:
    """Say what was dropped to make files small enough, and where nothing is."""
    notes = list(
        dict.fromkeys(
            str(translate_value(compressed_file.note))
            for compressed_file in compressed_files
            if compressed_file.note
        )
    )
    return [*notes, original_kept_note(record)] if notes else []


def _role_rank(image: Mapping[str, Any]) -> int:
    """Put results before the frames and masks that led to them; equal ones keep their order."""
    role = image.get("role", RESULT_ROLE)
    return IMAGE_ROLES.index(role) if role in IMAGE_ROLES else len(IMAGE_ROLES)


def _make_upload(
    record: JobRecord, number: int, compressed_file: CompressedFile, alt: str
) -> MessageFile:
    name = f"easel-{record.kind}-{record.id[-6:]}-{number}.{compressed_file.suffix}"
    return MessageFile(name, compressed_file.data, alt)


async def _load_compressed(images: Images, blobs: BlobStore, limit: int) -> CompressedFile:
    """Fetch a picture, or a sheet of several, as a file of at most `limit` bytes."""
    files = [await blobs.get(image["key"]) for image in images]
    infotext = str(images[0].get("infotext") or "")
    media_type = str(images[0].get("media_type", "image/png"))
    data = files[0]
    if len(files) > 1:
        data = await asyncio.to_thread(make_contact_sheet, files, infotext)
    if len(data) <= limit:
        return CompressedFile(data, media_type.rpartition("/")[2].replace("jpeg", "jpg"))
    return await asyncio.to_thread(compress_to_limit, data, limit, infotext)
