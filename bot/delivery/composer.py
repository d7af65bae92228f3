"""Makes the messages about ended jobs: what may be shown, where it comes from, what it shows."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable

import discord

from bot.delivery.outgoing import Outgoing, compose, compose_one, withheld
from bot.delivery.screening import Unscreened, Viewer
from bot.reply_to import DEFAULT_FILE_LIMIT, ReplyTo
from inference.jobs import Interrogate
from storage.blobs import BlobStore
from storage.errors import UnknownJob
from storage.jobs import JobStore
from storage.moderation import Verdict
from storage.records import DeliveryState, JobRecord

log = logging.getLogger(__name__)

TOO_LARGE = 413  # HTTP status of a request with too large files
SMALLER = (DEFAULT_FILE_LIMIT, DEFAULT_FILE_LIMIT // 4)
"""Bytes of one file that are tried where Discord refuses what it said it would take."""
WITHHELD = (Verdict.BLOCKED, Verdict.HELD, Verdict.DELETED)


class Composer:
    """Puts results into messages."""

    def __init__(self, jobs: JobStore, blobs: BlobStore) -> None:
        self._jobs = jobs
        self._blobs = blobs
        #: Who decides what may be shown.
        self.viewer: Viewer = Unscreened()

    async def compose(self, record: JobRecord, file_limit: int) -> Outgoing:
        """Make the message for a job that ended, with what may be shown of it."""
        screening = await self.viewer.look(record)
        if screening.verdict in WITHHELD:
            return withheld(record, screening)
        origin, captions = await self._origin(record), await self._captions(record)
        outgoing = await compose(record, self._blobs, file_limit, origin, captions)
        return outgoing.hidden() if screening.verdict is Verdict.SPOILER else outgoing

    async def fitting(
        self, record: JobRecord, limit: int, send: Callable[[Outgoing], Awaitable[int]]
    ) -> int:
        """Send a result with files of at most `limit` bytes, smaller ones where that is refused."""
        for smaller in (one for one in SMALLER if one < limit):
            try:
                return await send(await self.compose(record, limit))
            except discord.HTTPException as error:
                if error.status != TOO_LARGE:
                    raise
                log.info("Files of %d bytes are refused for %s.", limit, record.id)
                limit = smaller
        return await send(await self.compose(record, limit))

    async def compose_one(self, record: JobRecord, number: int, file_limit: int) -> Outgoing:
        """Make the message that shows one picture of a batch, counted from 1.

        Raises:
            BlobMissing: it is no longer stored.
        """
        there = ReplyTo.decode(record.reply_to)
        sheet = there.link(record.message) if there is not None and record.message else ""
        screening = await self.viewer.look(record)
        if screening.verdict in WITHHELD:
            return withheld(record, screening)
        captions = await self._captions(record)
        outgoing = await compose_one(record, number, self._blobs, file_limit, sheet, captions)
        return outgoing.hidden() if screening.verdict is Verdict.SPOILER else outgoing

    async def uploads_of(self, record: JobRecord, file_limit: int) -> list[discord.File]:
        """Make the files of a result for a moderator, whatever may be shown of it, all hidden."""
        return (await compose(record, self._blobs, file_limit)).hidden().files()

    async def _captions(self, record: JobRecord) -> dict[str, str]:
        """Collect what the owner's descriptions said of a result, by the key of the picture."""
        if record.delivery is not DeliveryState.SENT:
            return {}
        family = await self._jobs.family(record.id, record.owner)
        described = [job for job in family if job.kind == Interrogate.kind and job.result]
        return {job.inputs["image"]: str((job.result or {}).get("text") or "") for job in described}

    async def _origin(self, record: JobRecord) -> str:
        """Link to the message of the job that this one was made from, if it is known."""
        if record.parent is None:
            return ""
        with contextlib.suppress(UnknownJob):
            parent = await self._jobs.get(record.parent)
            there = ReplyTo.decode(parent.reply_to)
            if there is not None and parent.message:
                return there.link(parent.message)
        return ""
