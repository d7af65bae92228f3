"""A member's own pictures, to look at: what each was made from lies beside it."""

from __future__ import annotations

import asyncio
import io
from typing import Any

from PIL import Image

from bot.delivery.message_builder import WITHHELD_VERDICTS
from bot.delivery.protocols import ResultScreener
from bot.errors import JobNotFound
from bot.messages import job_title
from bot.page.links import PageLink
from bot.page.texts import page_texts
from bot.requests.image_sources import result_images
from storage.blobs import BlobStore
from storage.errors import UnknownJob
from storage.jobs import JobStore
from storage.moderation import Verdict
from storage.records import JobRecord, JobState

MAX_SHOWN_JOBS = 60  # jobs of one gallery: the newest
MAX_PROMPT_CHARACTERS = 400  # characters of a prompt beside its picture
THUMBNAIL_SIDE, THUMBNAIL_QUALITY = 480, 82  # pixels of the longer side; WebP's
SOURCE_NUMBER = 0  # the picture that a job started from; those it made are counted from 1


class GalleryDesk:
    """Shows a member what they made, and nothing of anybody else's."""

    def __init__(self, jobs: JobStore, blobs: BlobStore, screener: ResultScreener) -> None:
        self._jobs = jobs
        self._blobs = blobs
        self._screener = screener

    async def list_pictures(self, link: PageLink) -> dict[str, Any]:
        """Return the page's words, and the member's newest jobs that made pictures."""
        owner = link.visit.context.user_id
        records = await self._jobs.reader.list_by_owner(
            owner, states=(JobState.DONE,), limit=MAX_SHOWN_JOBS
        )
        entries = [await self._describe_job(record) for record in records]
        return {
            "texts": page_texts(),
            "session": link.session,
            "jobs": [entry for entry in entries if entry is not None],
        }

    async def read_picture(
        self, link: PageLink, job_id: str, number: int, *, as_thumbnail: bool
    ) -> bytes:
        """Return a picture's file: of what a job made, from 1, or what it started from, 0.

        Raises:
            JobNotFound: it is nobody's, somebody else's, or withheld.
            BlobMissing: it is no longer stored.
        """
        try:
            record = await self._jobs.reader.get_job(job_id)
        except UnknownJob as error:
            raise JobNotFound from error
        if record.owner != link.visit.context.user_id or not await self._find_verdict(record):
            raise JobNotFound
        keys = [record.inputs.get("image"), *(image["key"] for image in result_images(record))]
        key = keys[number] if 0 <= number < len(keys) else None
        if key is None:
            raise JobNotFound
        data = await self._blobs.get(key)
        return await asyncio.to_thread(shrink_image, data) if as_thumbnail else data

    async def _describe_job(self, record: JobRecord) -> dict[str, Any] | None:
        """Describe a job that made pictures; None where nothing of it is to be shown."""
        images = result_images(record)
        verdict = await self._find_verdict(record)
        if not images or record.kind == "preview" or verdict is None:
            return None
        return {
            "id": record.id,
            "title": job_title(record),
            "prompt": str(record.params.get("prompt") or "")[:MAX_PROMPT_CHARACTERS],
            "when": record.created_at.isoformat(),
            "pictures": [{"width": image["width"], "height": image["height"]} for image in images],
            "hasSource": "image" in record.inputs,
            "isHidden": verdict is Verdict.SPOILER,
        }

    async def _find_verdict(self, record: JobRecord) -> Verdict | None:
        """Return how a job's pictures may be shown; None where they are withheld."""
        if record.state is not JobState.DONE:
            return None
        verdict = (await self._screener.screen(record)).verdict
        return None if verdict in WITHHELD_VERDICTS else verdict


def shrink_image(data: bytes) -> bytes:
    """Make a small copy of a stored picture, as WebP."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        small_image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    small_image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small_image.save(file, "WEBP", quality=THUMBNAIL_QUALITY)
    return file.getvalue()
