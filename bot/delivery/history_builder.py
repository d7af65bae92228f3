"""A member's results as pages of nine thumbnails, with what may be shown of each."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bot import messages
from bot.delivery.display_copies import MAX_THUMBNAIL_IMAGES, make_thumbnail
from bot.delivery.message_builder import WITHHELD_VERDICTS, MessageFile
from bot.delivery.protocols import ResultScreener
from bot.requests.image_sources import result_images
from inference.api.jobs import PreviewJob
from storage.blobs import BlobStore
from storage.errors import BlobMissing
from storage.jobs import JobStore
from storage.moderation import Verdict
from storage.records import JobRecord

PAGE_RESULTS = 9  # results of one page; a gallery holds ten pictures
MAX_COMPOSED_AT_ONCE = 2  # thumbnails of all members: each holds whole pictures in memory
HIDDEN_KINDS = (PreviewJob.kind,)
"""Kinds whose pictures are steps towards a result."""


@dataclass(frozen=True)
class HistoryPage:
    """Some of a member's results, newest first."""

    records: Sequence[JobRecord]
    #: Of those that may be shown and are still stored; each has its number in the corner.
    thumbnails: Sequence[MessageFile]
    #: Its place, counted from 0.
    number: int
    #: Results of all pages.
    total: int
    #: Whether those with a star come before the others.
    starred_first: bool = False
    #: The ids of its results that have one.
    starred_ids: Collection[str] = ()

    @property
    def first_number(self) -> int:
        """The place of its first result among all, counted from 1."""
        return self.number * PAGE_RESULTS + 1

    @property
    def is_last(self) -> bool:
        """Whether no older result follows."""
        return self.first_number + len(self.records) > self.total


class HistoryBuilder:
    """Puts a member's results onto pages."""

    def __init__(self, jobs: JobStore, blobs: BlobStore, screener: ResultScreener) -> None:
        self._jobs = jobs
        self._blobs = blobs
        self._screener = screener
        self._turns = asyncio.Semaphore(MAX_COMPOSED_AT_ONCE)

    async def build_page(
        self, owner: str, number: int, *, starred_first: bool = False
    ) -> HistoryPage:
        """Make a page of a member's results, counted from 0; of none that far, the last one."""
        total = await self._jobs.reader.count_pictured(owner, HIDDEN_KINDS)
        number = max(0, min(number, (total - 1) // PAGE_RESULTS))
        records = await self._jobs.reader.list_pictured(
            owner,
            offset=number * PAGE_RESULTS,
            limit=PAGE_RESULTS,
            hidden_kinds=HIDDEN_KINDS,
            starred_first=starred_first,
        )
        starred_ids = await self._jobs.reader.list_starred([record.id for record in records])
        thumbnails = [
            await self._make_file(record, place) for place, record in enumerate(records, start=1)
        ]
        shown_files = [file for file in thumbnails if file is not None]
        return HistoryPage(records, shown_files, number, total, starred_first, starred_ids)

    async def _make_file(self, record: JobRecord, place: int) -> MessageFile | None:
        images = result_images(record)
        verdict = (await self._screener.screen(record)).verdict
        if verdict in WITHHELD_VERDICTS or not images:
            return None
        try:
            async with self._turns:
                stored_images = [
                    await self._blobs.get(image["key"]) for image in images[:MAX_THUMBNAIL_IMAGES]
                ]
                data = await asyncio.to_thread(make_thumbnail, stored_images, place)
        except BlobMissing:
            return None
        name = f"easel-{record.id[-6:]}-{place}.webp"
        alt = f"{place}: {messages.alt_text(record, 1, len(images))}"
        is_spoiler = verdict is Verdict.SPOILER
        return MessageFile(name, data, alt[: messages.MAX_ALT_TEXT_CHARACTERS], is_spoiler)
