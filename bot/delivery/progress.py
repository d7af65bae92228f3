"""Progress on the cards: seldom enough for Discord, never in anybody's way."""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import discord

from bot import texts, views
from bot.delivery.routes import Routes
from bot.failures import NOT_THROUGH
from bot.locales import speaking
from bot.reply_to import ReplyTo
from inference.events import Progress
from storage.errors import StorageError
from storage.records import JobRecord

log = logging.getLogger(__name__)

INTERVAL = 2.5  # seconds between two edits of one card
PREVIEW_NAME = "unfinished.jpg"
MAX_PREVIEW = 64 * 1024  # bytes; workers write a quarter of it
EDIT_TIMEOUT = 6.0  # seconds; discord.py alone would go on trying for 25


@dataclass
class Card:
    """What this process knows of one job's message."""

    #: Held while the message is edited, so that edits arrive in order.
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: When progress was last shown; None before the first time.
    shown_at: float | None = None
    #: A file with the newest look at the unfinished picture, not shown yet.
    preview: Path | None = None


async def everywhere(record: JobRecord) -> bool:
    """Let every unfinished picture be seen."""
    return True


class ProgressBoard:
    """The cards of the jobs that wait and run."""

    def __init__(
        self,
        routes: Routes,
        clock: Callable[[], float] = time.monotonic,
        may_preview: Callable[[JobRecord], Awaitable[bool]] = everywhere,
    ) -> None:
        """Take the ways to cards, and who says whether a job's unfinished picture may be seen."""
        self.clock = clock
        self._routes = routes
        self.may_preview = may_preview
        self._cards: dict[str, Card] = {}

    def card(self, job_id: str) -> Card:
        """Return the card of a job."""
        return self._cards.setdefault(job_id, Card())

    def forget(self, job_id: str) -> None:
        """Drop what is known of a job that ended."""
        self._cards.pop(job_id, None)

    def due(self, job_id: str) -> bool:
        """Whether progress may be shown now; asking counts as showing.

        What is not shown is dropped, not kept for later: the next step says more, and the result
        comes by another way that is never held back.
        """
        card = self.card(job_id)
        now = self.clock()
        recent = card.shown_at is not None and now - card.shown_at < INTERVAL
        if recent or card.lock.locked():
            return False
        card.shown_at = now
        return True

    def keep(self, job_id: str, preview: str | None) -> None:
        """Keep a look at an unfinished picture for the next time that progress is shown."""
        if preview is not None:
            self.card(job_id).preview = Path(preview)

    async def show(self, record: JobRecord, progress: Progress, reply_to: ReplyTo) -> None:
        """Edit a card to show a step; what goes wrong is dropped."""
        with speaking(reply_to.language):
            content = texts.progress(record, progress.step, progress.steps)
            view, alt = views.for_waiting(record), texts.preview(progress.step, progress.steps)
        card = self.card(record.id)
        async with card.lock:
            try:
                files = await self._preview(record, card, alt)
                edit = self._routes.edit_card(reply_to, content, view, files)
                await asyncio.wait_for(edit, EDIT_TIMEOUT)
            except (*NOT_THROUGH, StorageError) as error:
                log.info("Progress of %s was not shown: %s", record.id, error)

    async def _preview(self, record: JobRecord, card: Card, alt: str) -> list[discord.File] | None:
        """Read the newest preview, if there is one to be seen; None leaves what is shown."""
        path, card.preview = card.preview, None
        if path is None or not await self.may_preview(record):
            return None
        try:
            data = await asyncio.to_thread(_read, path)
        except OSError:  # the worker has replaced it, or the job is over
            return None
        return [discord.File(io.BytesIO(data), PREVIEW_NAME, description=alt)]


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_PREVIEW + 1)
    if len(data) > MAX_PREVIEW:
        raise OSError(f"{path.name} is no preview")
    return data
