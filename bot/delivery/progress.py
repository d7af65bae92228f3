"""Progress on the cards: seldom enough for Discord, never in anybody's way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bot import texts, views
from bot.delivery.routes import Routes
from bot.failures import NOT_THROUGH
from bot.reply_to import ReplyTo
from inference.events import Progress
from storage.records import JobRecord

log = logging.getLogger(__name__)

INTERVAL = 2.5  # seconds between two edits of one card
EDIT_TIMEOUT = 6.0  # seconds; discord.py alone would go on trying for 25


@dataclass
class Card:
    """What this process knows of one job's message."""

    #: Held while the message is edited, so that edits arrive in order.
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: When progress was last shown; None before the first time.
    shown_at: float | None = None


class ProgressBoard:
    """The cards of the jobs that wait and run."""

    def __init__(self, routes: Routes, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._routes = routes
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

    async def show(self, record: JobRecord, progress: Progress, reply_to: ReplyTo) -> None:
        """Edit a card to show a step; what goes wrong is dropped."""
        content = texts.progress(record, progress.step, progress.steps)
        async with self.card(record.id).lock:
            try:
                edit = self._routes.edit_card(reply_to, content, views.for_waiting(record))
                await asyncio.wait_for(edit, EDIT_TIMEOUT)
            except NOT_THROUGH as error:
                log.info("Progress of %s was not shown: %s", record.id, error)
