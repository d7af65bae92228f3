"""Makes the messages about ended jobs: what may be shown, words, files and buttons."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import discord

from bot import messages
from bot.delivery.compression import (
    MAX_REQUEST_BYTES,
    CompressedFile,
    compress_to_limit,
    describe_loss,
)
from bot.delivery.display_copies import MIN_SHOWN_PIXELS, crop_details, make_display_copy
from bot.delivery.protocols import ControlRow, JobViews, ResultScreener
from bot.i18n import translate, translate_value
from bot.messages.job_status import before_alt_text, before_note, original_kept_note, sheet_help
from bot.requests.image_sources import (
    BEFORE_NAME_MARK,
    RESULT_ROLE,
    STILL_MEDIA_TYPE,
    is_batch,
    result_images,
)
from bot.requests.reply_target import (
    DEFAULT_FILE_LIMIT_BYTES,
    CardFile,
    ReplyTarget,
    build_card,
    card_colour,
)
from inference.api.commands import DisplayLimits
from inference.api.jobs import Img2ImgJob, InpaintJob, InterrogateJob, UpscaleJob
from storage.blobs import BlobStore
from storage.errors import BlobMissing, StorageError, UnknownJob
from storage.jobs import JobStore
from storage.moderation import Verdict
from storage.records import DeliveryState, JobRecord, JobState

log = logging.getLogger(__name__)

WITHHELD_VERDICTS = (Verdict.BLOCKED, Verdict.HELD, Verdict.DELETED)

COMPARED_KINDS = (Img2ImgJob.kind, InpaintJob.kind)
"""Kinds whose results are shown beside what they were made from."""

MAX_BEFORE_BYTES = 512 * 1024  # bytes of a picture that is there only to be compared
MAX_DESCRIBED_BYTES = 4 * 2**20  # bytes of a picture that a description is of
MAX_FILES = 10  # Discord's limit for one message
IMAGE_ROLES = (RESULT_ROLE, "animation", "sheet", "frame")
"""Roles of pictures, the most telling first."""
COPY_FORMS = {"image/webp": ("WebP", "webp"), "image/jpeg": ("JPEG", "jpg")}
"""What a worker's copies are, as members read it, and how their names end."""

StoredImage = Mapping[str, Any]


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

    def card_file(self) -> CardFile:
        """Return what a card's layout needs to know of it."""
        return CardFile(self.discord_file().filename, self.description, self.spoiler)


@dataclass(frozen=True)
class ResultMessage:
    """One message about an ended job."""

    record: JobRecord
    content: str
    #: Makes the controls under it, anew for each sending.
    control_rows: Callable[[], Sequence[ControlRow]]
    uploads: tuple[MessageFile, ...] = ()

    def discord_files(self) -> list[discord.File]:
        """Return fresh files."""
        return [upload.discord_file() for upload in self.uploads]

    def layout(self) -> discord.ui.LayoutView:
        """Return the card itself, which names the files, anew for each sending."""
        return build_card(
            self.content,
            self.control_rows(),
            [upload.card_file() for upload in self.uploads],
            card_colour(self.record),
        )

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

    async def build_original(
        self, record: JobRecord, number: int, file_limit: int
    ) -> ResultMessage:
        """Make the message that holds one picture as it was made, without controls.

        Raises:
            BlobMissing: it is no longer stored.
        """
        return await self._build_screened(
            record, partial(self._build_original, record, number, file_limit)
        )

    async def _build_original(
        self, record: JobRecord, number: int, file_limit: int
    ) -> ResultMessage:
        images = result_images(record)
        image = images[min(number, len(images)) - 1]
        limit = min(file_limit, MAX_REQUEST_BYTES)
        stored_file = await _load_stored(image, self._blobs, limit)
        size = translate("{width} × {height} px", width=image["width"], height=image["height"])
        lines = [size, *_compression_notes(record, [stored_file])]
        alt = messages.alt_text(record, number, len(images))
        upload = _make_upload(record, str(number), stored_file, alt)
        return ResultMessage(record, "\n".join(lines), list, (upload,))

    async def uploads_of(self, record: JobRecord, file_limit: int) -> list[discord.File]:
        """Make the files of a result for a moderator, whatever may be shown of it, all hidden."""
        message = await self._build_result(record, file_limit)
        return message.as_spoiler().discord_files()

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
                partial(self._views.rows_for_ended, empty_record),
            )
        message = await build()
        return message.as_spoiler() if screening.verdict is Verdict.SPOILER else message

    async def _build_result(self, record: JobRecord, file_limit: int) -> ResultMessage:
        """Make the message for a job that ended, with files of at most `file_limit` bytes."""
        message = ResultMessage(record, "", partial(self._views.rows_for_ended, record))
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
        if record.kind == InterrogateJob.kind and not result_images(record):
            uploads = [*await self._pack_described(record, file_limit), *uploads]
        source_file = await self._shown_before(record)
        if source_file is not None and len(uploads) == 1:
            uploads, notes = [source_file, *uploads], [*notes, before_note()]
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
        compressed_file = await load_shown(image, self._blobs, limit)
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
            partial(self._views.rows_for_image, record, number),
            (_make_upload(record, str(number), compressed_file, alt),),
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

    async def build_comparison(self, record: JobRecord, number: int) -> ResultMessage:
        """Make the message that shows a picture beside what it was made from, without controls.

        Raises:
            BlobMissing: one of them is no longer stored.
        """
        return await self._build_screened(record, partial(self._build_comparison, record, number))

    async def _build_comparison(self, record: JobRecord, number: int) -> ResultMessage:
        images = result_images(record)
        image = images[min(number, len(images)) - 1]
        if record.kind == UpscaleJob.kind:
            uploads = await _pack_details(record, image, self._blobs)
            words = translate("The middle, pixel by pixel: before and after.")
        else:
            shown_file = await load_shown(image, self._blobs, DEFAULT_FILE_LIMIT_BYTES)
            alt = messages.alt_text(record, number, len(images))
            result_file = _make_upload(record, str(number), shown_file, alt)
            uploads = [await _pack_before(record, self._blobs), result_file]
            words = translate("Before and after.")
        return ResultMessage(record, words, list, tuple(uploads))

    async def _shown_before(self, record: JobRecord) -> MessageFile | None:
        """Pack what a picture was made from, where the members who see it have seen that already.

        What a member sent with a command is not shown to others: perhaps it was sent to have
        something removed from it.
        """
        parent = await self._find_parent(record)
        if parent is None or record.kind not in COMPARED_KINDS or "image" not in record.inputs:
            return None
        target, parent_target = map(ReplyTarget.from_json, (record.reply_to, parent.reply_to))
        if target is None or parent_target is None or parent.delivery is not DeliveryState.SENT:
            return None
        is_seen = parent_target.channel_id == target.channel_id and not parent_target.private
        shown_keys = {image["key"] for image in result_images(parent)}
        if not is_seen or record.inputs["image"] not in shown_keys or parent.kind == "preview":
            return None
        if (await self._screener.screen(parent)).verdict is not Verdict.CLEAN:
            return None
        with contextlib.suppress(BlobMissing):
            return await _pack_before(record, self._blobs)
        return None

    async def _pack_described(self, record: JobRecord, file_limit: int) -> list[MessageFile]:
        """Pack the picture that a description is of; none where it is no longer stored."""
        with contextlib.suppress(BlobMissing):
            data = await self._blobs.get(record.inputs["image"])
            limit = min(file_limit, MAX_DESCRIBED_BYTES)
            data = await asyncio.to_thread(make_display_copy, data)
            packed_file = await asyncio.to_thread(compress_to_limit, data, limit)
            text = str((record.result or {}).get("text") or "")
            alt = f"{messages.job_title(record)}: {messages.escape_untrusted(text, 900)}"
            return [_make_upload(record, "1", packed_file, alt[: messages.MAX_ALT_TEXT_CHARACTERS])]
        return []

    async def _find_parent(self, record: JobRecord) -> JobRecord | None:
        if record.parent is None:
            return None
        with contextlib.suppress(UnknownJob):
            return await self._jobs.reader.get_job(record.parent)
        return None

    async def _origin_link(self, record: JobRecord) -> str:
        """Link to the message of the job that this one was made from, if it is known."""
        parent = await self._find_parent(record)
        if parent is None:
            return ""
        target, parent_target = map(ReplyTarget.from_json, (record.reply_to, parent.reply_to))
        if parent_target is None or not parent.message:
            return ""
        if target is not None and parent.message == str(target.message_id):  # asked for in place
            return ""
        return parent_target.message_url(parent.message)


def read_display_limits(record: JobRecord) -> DisplayLimits:
    """Tell what the place of a job's answer takes; nothing for a job of the command line."""
    reply_target = ReplyTarget.from_json(record.reply_to)
    if reply_target is None:
        return DisplayLimits()
    return DisplayLimits(reply_target.file_limit, MAX_REQUEST_BYTES)


async def _pack_uploads(
    record: JobRecord, blobs: BlobStore, file_limit: int, captions: Mapping[str, str]
) -> tuple[list[MessageFile], list[str]]:
    """Pack what one message can show, the most telling first; pictures of a batch are numbered."""
    batch = result_images(record) if is_batch(record) else []
    images = sorted((record.result or {}).get("pictures") or (), key=_role_rank)
    if batch:
        images = [*batch, *(image for image in images if image not in batch)]
    omitted_count = len(images) - MAX_FILES
    images = images[:MAX_FILES]
    limit = min(file_limit, MAX_REQUEST_BYTES // max(1, len(images)))
    uploads: list[MessageFile] = []
    compressed_files: list[CompressedFile] = []
    notes: list[str] = [sheet_help(len(batch))] if batch else []
    for number, image in enumerate(images, start=1):
        try:
            compressed_file = await load_shown(
                image, blobs, limit, number if number <= len(batch) else None
            )
        except BlobMissing:
            notes.append(translate("Picture {number} is no longer stored.", number=number))
            continue
        alt = messages.alt_text(record, number, len(images), captions.get(image["key"], ""))
        uploads.append(_make_upload(record, str(number), compressed_file, alt))
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


def _role_rank(image: StoredImage) -> int:
    """Put results before the frames and masks that led to them; equal ones keep their order."""
    role = image.get("role", RESULT_ROLE)
    return IMAGE_ROLES.index(role) if role in IMAGE_ROLES else len(IMAGE_ROLES)


def _make_upload(
    record: JobRecord, place: str, compressed_file: CompressedFile, alt: str
) -> MessageFile:
    """Name a file after its job and its place among the job's files."""
    name = f"easel-{record.kind}-{record.id[-6:]}-{place}.{compressed_file.suffix}"
    return MessageFile(name, compressed_file.data, alt)


async def _load_copy(image: StoredImage, blobs: BlobStore, limit: int) -> CompressedFile | None:
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


async def _load_stored(image: StoredImage, blobs: BlobStore, limit: int) -> CompressedFile:
    """Fetch a picture as it was made, or the best file of at most `limit` bytes that shows it."""
    if (copied_file := await _load_copy(image, blobs, limit)) is not None:
        return copied_file
    return await _fit(await blobs.get(image["key"]), image, limit)


async def load_shown(
    image: StoredImage, blobs: BlobStore, limit: int, number: int | None = None
) -> CompressedFile:
    """Fetch a picture as it is shown: small ones enlarged, one of a batch with its number."""
    if number is None and not is_enlarged(image):
        return await _load_stored(image, blobs, limit)
    data, infotext = await blobs.get(image["key"]), str(image.get("infotext") or "")
    if image.get("media_type", STILL_MEDIA_TYPE) == STILL_MEDIA_TYPE:
        data = await asyncio.to_thread(make_display_copy, data, infotext, number)
    return await _fit(data, image, limit)


def is_enlarged(image: StoredImage) -> bool:
    """Whether a picture is so small that an enlarged copy is shown."""
    width, height = int(image.get("width") or 0), int(image.get("height") or 0)
    is_still = image.get("media_type", STILL_MEDIA_TYPE) == STILL_MEDIA_TYPE
    return is_still and 0 < max(width, height) < MIN_SHOWN_PIXELS


async def _pack_before(record: JobRecord, blobs: BlobStore) -> MessageFile:
    """Pack what a job started from, to be shown beside its result.

    Raises:
        BlobMissing: it is no longer stored.
    """
    data = await asyncio.to_thread(make_display_copy, await blobs.get(record.inputs["image"]))
    return await _make_before(record, data)


async def _pack_details(
    record: JobRecord, image: StoredImage, blobs: BlobStore
) -> list[MessageFile]:
    """Pack the middle of a picture pixel by pixel, and the same part of what it was made from.

    Raises:
        BlobMissing: one of them is no longer stored.
    """
    source, result = await blobs.get(record.inputs["image"]), await blobs.get(image["key"])
    source_part, result_part = await asyncio.to_thread(crop_details, source, result)
    alt = translate("After: the middle of the result, pixel by pixel")
    return [
        await _make_before(record, source_part),
        _make_upload(record, "detail", CompressedFile(result_part, "png"), alt),
    ]


async def _make_before(record: JobRecord, data: bytes) -> MessageFile:
    packed_file = await asyncio.to_thread(compress_to_limit, data, MAX_BEFORE_BYTES)
    # So named that it is not taken for the result by who works on the message's picture.
    name = f"easel-{record.id[-6:]}{BEFORE_NAME_MARK}.{packed_file.suffix}"
    return MessageFile(name, packed_file.data, before_alt_text())


async def _fit(data: bytes, image: StoredImage, limit: int) -> CompressedFile:
    media_type = str(image.get("media_type", STILL_MEDIA_TYPE))
    if len(data) <= limit:
        return CompressedFile(data, media_type.rpartition("/")[2].replace("jpeg", "jpg"))
    infotext = str(image.get("infotext") or "")
    return await asyncio.to_thread(compress_to_limit, data, limit, infotext)
