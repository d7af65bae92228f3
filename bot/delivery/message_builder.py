"""Makes the messages about ended jobs: what may be shown, where it comes from, what it shows."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable

import discord

from bot.delivery.outgoing import ResultMessage, compose_image, compose_result, withheld_message
from bot.delivery.screening import NoScreening, ResultScreener
from bot.requests.reply_target import DEFAULT_FILE_LIMIT_BYTES, ReplyTarget
from inference.api.jobs import InterrogateJob
from storage.blobs import BlobStore
from storage.errors import UnknownJob
from storage.jobs import JobStore
from storage.moderation import Verdict
from storage.records import DeliveryState, JobRecord

log = logging.getLogger(__name__)

HTTP_TOO_LARGE = 413  # HTTP status of a request with too large files
RETRY_FILE_LIMITS = (DEFAULT_FILE_LIMIT_BYTES, DEFAULT_FILE_LIMIT_BYTES // 4)
"""Bytes of one file that are tried where Discord refuses what it said it would take."""
WITHHELD_VERDICTS = (Verdict.BLOCKED, Verdict.HELD, Verdict.DELETED)


class MessageBuilder:
    """Puts results into messages."""

    def __init__(self, jobs: JobStore, blobs: BlobStore) -> None:
        self._jobs = jobs
        self._blobs = blobs
        #: Who decides what may be shown.
        self.viewer: ResultScreener = NoScreening()

    async def build_message(self, record: JobRecord, file_limit: int) -> ResultMessage:
        """Make the message for a job that ended, with what may be shown of it."""
        screening = await self.viewer.screen(record)
        if screening.verdict in WITHHELD_VERDICTS:
            return withheld_message(record, screening)
        origin, captions = await self._origin_link(record), await self._image_captions(record)
        message = await compose_result(record, self._blobs, file_limit, origin, captions)
        return message.as_spoiler() if screening.verdict is Verdict.SPOILER else message

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

    async def build_image_message(
        self, record: JobRecord, number: int, file_limit: int
    ) -> ResultMessage:
        """Make the message that shows one picture of a batch, counted from 1.

        Raises:
            BlobMissing: it is no longer stored.
        """
        reply_target = ReplyTarget.from_json(record.reply_to)
        sheet_link = (
            reply_target.message_url(record.message)
            if reply_target is not None and record.message
            else ""
        )
        screening = await self.viewer.screen(record)
        if screening.verdict in WITHHELD_VERDICTS:
            return withheld_message(record, screening)
        captions = await self._image_captions(record)
        message = await compose_image(record, number, self._blobs, file_limit, sheet_link, captions)
        return message.as_spoiler() if screening.verdict is Verdict.SPOILER else message

    async def uploads_of(self, record: JobRecord, file_limit: int) -> list[discord.File]:
        """Make the files of a result for a moderator, whatever may be shown of it, all hidden."""
        return (await compose_result(record, self._blobs, file_limit)).as_spoiler().discord_files()

    async def _image_captions(self, record: JobRecord) -> dict[str, str]:
        """Collect what the owner's descriptions said of a result, by the key of the picture."""
        if record.delivery is not DeliveryState.SENT:
            return {}
        family = await self._jobs.list_lineage(record.id, record.owner)
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
            parent = await self._jobs.get_job(record.parent)
            parent_target = ReplyTarget.from_json(parent.reply_to)
            if parent_target is not None and parent.message:
                return parent_target.message_url(parent.message)
        return ""
