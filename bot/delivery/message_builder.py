"""Makes the messages about ended jobs: what may be shown, words, files and buttons."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import discord

from bot import messages
from bot.delivery.compression import (
    MAX_REQUEST_BYTES,
    CompressedFile,
    compress_to_limit,
    describe_loss,
)
from bot.delivery.contact_sheet import make_contact_sheet
from bot.i18n import translate, translate_value
from bot.messages.job_status import original_kept_note, sheet_alt_text, sheet_help
from bot.requests.image_sources import RESULT_ROLE, is_batch, result_images
from bot.requests.reply_target import DEFAULT_FILE_LIMIT_BYTES, ReplyTarget
from inference.api.commands import DisplayLimits
from inference.api.jobs import InterrogateJob
from storage.blobs import BlobStore
from storage.errors import BlobMissing, StorageError, UnknownJob
from storage.jobs import JobStore
from storage.moderation import ScreeningRecord, Verdict
from storage.records import DeliveryState, JobRecord, JobState

log = logging.getLogger(__name__)

HTTP_TOO_LARGE = 413  # HTTP status of a request with too large files
RETRY_FILE_LIMITS = (DEFAULT_FILE_LIMIT_BYTES, DEFAULT_FILE_LIMIT_BYTES // 4)
"""Bytes of one file that are tried where Discord refuses what it said it would take."""
WITHHELD_VERDICTS = (Verdict.BLOCKED, Verdict.HELD, Verdict.DELETED)
MAX_FILES = 10  # Discord's limit for one message
IMAGE_ROLES = (RESULT_ROLE, "animation", "sheet", "frame")
"""Roles of pictures, the most telling first."""

COPY_FORMS = {"image/webp": ("WebP", "webp"), "image/jpeg": ("JPEG", "jpg")}
"""What a worker's copies are, as members read it, and how their names end."""

Images = Sequence[Mapping[str, Any]]


class ResultScreener(Protocol):
    """Who decides what may be shown of a result."""

    async def screen(self, record: JobRecord) -> ScreeningRecord:
        """Decide, or remember what was decided."""
        ...

    async def may_preview(self, record: JobRecord) -> bool:
        """Whether an unfinished picture may be shown."""
        ...


class JobViews(Protocol):
    """Which buttons stand under a job's messages."""

    def view_for_waiting(self, record: JobRecord, /) -> discord.ui.View:
        """Return those of a job that waits or runs."""
        ...

    def view_for_refused(self, record: JobRecord, /) -> discord.ui.View:
        """Return the ways out of a job that could not be done as asked."""
        ...

    def view_for_hidden_reason(self, record: JobRecord, /) -> discord.ui.View:
        """Return those of a card that does not say why."""
        ...

    def view_for_ended(self, record: JobRecord, /) -> discord.ui.View:
        """Return those of a job that ended."""
        ...

    def view_for_image(self, record: JobRecord, number: int, /) -> discord.ui.View:
        """Return those of one picture of a batch, counted from 1."""
        ...


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
    #: Makes the buttons under it, anew for each sending.
    button_view: Callable[[], discord.ui.View]
    uploads: tuple[MessageFile, ...] = ()

    def discord_files(self) -> list[discord.File]:
        """Return fresh files."""
        return [upload.discord_file() for upload in self.uploads]

    def as_spoiler(self) -> ResultMessage:
        """Return it with its files hidden until somebody wants to see them."""
        return replace(
            self, uploads=tuple(replace(upload, spoiler=True) for upload in self.uploads)
        )


class MessageBuilder:
    """Puts results into messages."""

    def __init__(
        self, jobs: JobStore, blobs: BlobStore, screener: ResultScreener, views: JobViews
    ) -> None:
        self._jobs = jobs
        self._blobs = blobs
        self._screener = screener
        self._views = views

    async def build_message(self, record: JobRecord, file_limit: int) -> ResultMessage:
        """Make the message for a job that ended, with what may be shown of it."""
        return await self._build_screened(record, partial(self._build_result, record, file_limit))

    async def build_image_message(
        self, record: JobRecord, number: int, file_limit: int
    ) -> ResultMessage:
        """Make the message that shows one picture of a batch, counted from 1, as it was made.

        Raises:
            BlobMissing: it is no longer stored.
        """
        build = partial(self._build_image, record, number, min(file_limit, MAX_REQUEST_BYTES))
        return await self._build_screened(record, build)

    async def uploads_of(self, record: JobRecord, file_limit: int) -> list[discord.File]:
        """Make the files of a result for a moderator, whatever may be shown of it, all hidden."""
        message = await self._build_result(record, file_limit)
        return message.as_spoiler().discord_files()

    async def send_within_limit(
        self, record: JobRecord, limit: int, send: Callable[[ResultMessage], Awaitable[int]]
    ) -> int:
        """Send a result with files of at most `limit` bytes, smaller ones where that is refused."""
        for smaller_limit in (
            retry_limit for retry_limit in RETRY_FILE_LIMITS if retry_limit < limit
        ):
            try:
                return await send(await self.build_message(record, limit))
            except discord.HTTPException as error:
                if error.status != HTTP_TOO_LARGE:
                    raise
                log.info("Files of %d bytes are refused for %s.", limit, record.id)
                limit = smaller_limit
        return await send(await self.build_message(record, limit))

    async def _build_screened(
        self, record: JobRecord, build: Callable[[], Awaitable[ResultMessage]]
    ) -> ResultMessage:
        """Make a message with what may be shown; withheld pictures have no buttons either."""
        screening = await self._screener.screen(record)
        if screening.verdict in WITHHELD_VERDICTS:
            empty_record = replace(record, result={**(record.result or {}), "pictures": []})
            return ResultMessage(
                record,
                messages.withheld_card(record, screening),
                partial(self._views.view_for_ended, empty_record),
            )
        message = await build()
        return message.as_spoiler() if screening.verdict is Verdict.SPOILER else message

    async def _build_result(self, record: JobRecord, file_limit: int) -> ResultMessage:
        """Make the message for a job that ended, with files of at most `file_limit` bytes."""
        message = ResultMessage(record, "", partial(self._views.view_for_ended, record))
        if record.state is JobState.FAILED:
            return replace(message, content=messages.failed_card(record))
        if record.state is JobState.CANCELLED:
            return replace(message, content=messages.cancelled_card(record))
        origin, captions = await self._origin_link(record), await self._image_captions(record)
        uploads, notes = await _pack_uploads(record, self._blobs, file_limit, captions)
        text = str((record.result or {}).get("text") or "")
        if messages.exceeds_card(text) and len(uploads) < MAX_FILES:
            title = translate("All words of this {kind}", kind=messages.job_title(record))
            name = f"easel-{record.kind}-{record.id[-6:]}.txt"
            uploads.append(MessageFile(name, text.encode(), title))
        content = messages.result_card(record, notes, origin)
        return replace(message, content=content, uploads=tuple(uploads))

    async def _build_image(self, record: JobRecord, number: int, limit: int) -> ResultMessage:
        reply_target = ReplyTarget.from_json(record.reply_to)
        sheet_link = (
            reply_target.message_url(record.message)
            if reply_target is not None and record.message
            else ""
        )
        captions = await self._image_captions(record)
        images = result_images(record)
        image = images[number - 1]
        compressed_file = await _load_compressed([image], self._blobs, limit)
        single_record = replace(
            record, result={**(record.result or {}), "pictures": [image], "notes": []}
        )
        lines = [
            translate("Picture {number} of {count}.", number=number, count=len(images)),
            *_compression_notes(record, [compressed_file]),
        ]
        alt = messages.alt_text(record, number, len(images), captions.get(image["key"], ""))
        return ResultMessage(
            record,
            messages.result_card(single_record, lines, sheet_link),
            partial(self._views.view_for_image, record, number),
            (_make_upload(record, number, compressed_file, alt),),
        )

    async def _image_captions(self, record: JobRecord) -> dict[str, str]:
        """Collect what the owner's descriptions said of a result, by the key of the picture."""
        if record.delivery is not DeliveryState.SENT:
            return {}
        family = await self._jobs.reader.list_lineage(record.id, record.owner)
        description_jobs = [job for job in family if job.kind == InterrogateJob.kind and job.result]
        return {
            job.inputs["image"]: str((job.result or {}).get("text") or "")
            for job in description_jobs
        }

    async def _origin_link(self, record: JobRecord) -> str:
        """Link to the message of the job that this one was made from, if it is known."""
        if record.parent is None:
            return ""
        with contextlib.suppress(UnknownJob):
            parent = await self._jobs.reader.get_job(record.parent)
            parent_target = ReplyTarget.from_json(parent.reply_to)
            if parent_target is not None and parent.message:
                return parent_target.message_url(parent.message)
        return ""


def read_display_limits(record: JobRecord) -> DisplayLimits:
    """Tell what the place of a job's answer takes; nothing for a job of the command line."""
    reply_target = ReplyTarget.from_json(record.reply_to)
    if reply_target is None:
        return DisplayLimits()
    return DisplayLimits(reply_target.file_limit, MAX_REQUEST_BYTES)


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


async def _load_copy(
    image: Mapping[str, Any], blobs: BlobStore, limit: int
) -> CompressedFile | None:
    """Fetch the copy that a worker made of a picture beyond the limit; None where none fits.

    Results of older versions have none, nor have those shown in a place that takes less.
    """
    copy = image.get("copy")
    if not copy:
        return None
    sizes = await blobs.sizes_of([image["key"], copy["key"]])
    if sizes[image["key"]] <= limit or not 0 < sizes[copy["key"]] <= limit:
        return None
    try:
        data = await blobs.get(copy["key"])
    except StorageError as error:
        log.warning("The copy %s cannot be shown: %s", copy["key"], error)
        return None
    size = (copy["width"], copy["height"])
    is_smaller = size != (image.get("width"), image.get("height"))
    form, suffix = COPY_FORMS.get(copy["media_type"], COPY_FORMS["image/webp"])
    note = describe_loss(form, copy["quality"], size if is_smaller else None)
    return CompressedFile(data, suffix, note if copy["quality"] else None)


async def _load_compressed(images: Images, blobs: BlobStore, limit: int) -> CompressedFile:
    """Fetch a picture, or a sheet of several, as a file of at most `limit` bytes."""
    if len(images) == 1 and (copied_file := await _load_copy(images[0], blobs, limit)) is not None:
        return copied_file
    files = [await blobs.get(image["key"]) for image in images]
    infotext = str(images[0].get("infotext") or "")
    media_type = str(images[0].get("media_type", "image/png"))
    data = files[0]
    if len(files) > 1:
        data = await asyncio.to_thread(make_contact_sheet, files, infotext)
    if len(data) <= limit:
        return CompressedFile(data, media_type.rpartition("/")[2].replace("jpeg", "jpg"))
    return await asyncio.to_thread(compress_to_limit, data, limit, infotext)
