"""Progress on the cards: seldom enough for Discord, never in anybody's way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bot import messages
from bot.delivery.message_builder import MessageFile
from bot.delivery.protocols import JobViews, ResultScreener
from bot.delivery.sender import MessageSender
from bot.i18n import use_language
from bot.requests.reply_target import ReplyTarget, build_card, card_colour
from bot.support.discord_errors import TRANSPORT_ERRORS
from inference.api.messages import JobProgress
from storage.errors import StorageError
from storage.records import JobRecord

log = logging.getLogger(__name__)

EDIT_INTERVAL_SECONDS = 2.5  # seconds between two edits of one card, at least
MAX_EDITS_PER_SECOND = 40  # edits for progress, of all cards together: Discord takes 50 requests
PREVIEW_NAME = "unfinished.jpg"
MAX_PREVIEW_BYTES = 64 * 1024  # bytes; workers write a quarter of it
EDIT_TIMEOUT_SECONDS = 6.0  # seconds; discord.py alone would go on trying for 25


@dataclass
class JobMessageState:
    """What this process knows of one job's message."""

    #: Held while the message is edited, so that edits arrive in order.
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: When progress was last shown; None before the first time.
    shown_at: float | None = None
    #: A file with the newest look at the unfinished picture, not shown yet.
    preview: Path | None = None
    #: The look that is shown, which every edit brings along: a card names its files anew.
    shown_preview: bytes | None = None


class ProgressUpdater:
    """The cards of the jobs that wait and run."""

    def __init__(
        self,
        sender: MessageSender,
        screener: ResultScreener,
        views: JobViews,
        read_preview: Callable[[Path, int], bytes],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sender = sender
        self._screener = screener
        self._views = views
        #: Reads a worker's file of at most so many bytes.
        self._read_preview = read_preview
        self._clock = clock
        self._states: dict[str, JobMessageState] = {}
        #: Jobs that have told of a step; their cards share the edits of a second.
        self._running: set[str] = set()
        #: When the latest edits for progress were made, the first first.
        self._edited_at: deque[float] = deque(maxlen=MAX_EDITS_PER_SECOND)

    def state_for(self, job_id: str) -> JobMessageState:
        """Return the card of a job."""
        return self._states.setdefault(job_id, JobMessageState())

    def forget_job(self, job_id: str) -> None:
        """Drop what is known of a job that ended."""
        self._states.pop(job_id, None)
        self._running.discard(job_id)

    def should_update(self, job_id: str) -> bool:
        """Whether progress may be shown now; asking counts as showing.

        All cards share one budget: the more jobs run, the less often each card is edited. What is
        not shown is dropped, not kept for later: the next step says more, and the result comes by
        another way that is never held back.
        """
        message_state = self.state_for(job_id)
        self._running.add(job_id)
        interval_seconds = max(EDIT_INTERVAL_SECONDS, len(self._running) / MAX_EDITS_PER_SECOND)
        current_time = self._clock()
        recent = (
            message_state.shown_at is not None
            and current_time - message_state.shown_at < interval_seconds
        )
        if recent or message_state.lock.locked() or self._is_budget_spent(current_time):
            return False
        message_state.shown_at = current_time
        self._edited_at.append(current_time)
        return True

    def _is_budget_spent(self, current_time: float) -> bool:
        """Whether as many cards were edited within the last second as may be."""
        return (
            len(self._edited_at) == MAX_EDITS_PER_SECOND and current_time - self._edited_at[0] < 1.0
        )

    def set_preview(self, job_id: str, preview: str | None) -> None:
        """Keep a look at an unfinished picture for the next time that progress is shown."""
        if preview is not None:
            self.state_for(job_id).preview = Path(preview)

    async def show_progress(
        self, record: JobRecord, progress: JobProgress, reply_to: ReplyTarget
    ) -> None:
        """Edit a card to show a step; what goes wrong is dropped."""
        with use_language(reply_to.language):
            content = messages.progress_card(record, progress.step, progress.steps)
            rows = self._views.rows_for_waiting(record)
            alt = messages.preview_alt_text(progress.step, progress.steps)
        message_state = self.state_for(record.id)
        async with message_state.lock:
            try:
                preview = await self._read_shown(record, message_state)
                files = [] if preview is None else [MessageFile(PREVIEW_NAME, preview, alt)]
                card = build_card(
                    content, rows, [file.card_file() for file in files], card_colour(record)
                )
                uploads = [file.discord_file() for file in files]
                edit = self._sender.edit_status(reply_to, card, uploads)
                await asyncio.wait_for(edit, EDIT_TIMEOUT_SECONDS)
            except (*TRANSPORT_ERRORS, StorageError) as error:
                log.info("Progress of %s was not shown: %s", record.id, error)

    async def _read_shown(self, record: JobRecord, message_state: JobMessageState) -> bytes | None:
        """Return the look to show: the newest that there is, else the one shown before."""
        path, message_state.preview = message_state.preview, None
        if path is not None and not await self._screener.may_preview(record):
            path = message_state.shown_preview = None
        if path is None:
            return message_state.shown_preview
        try:
            message_state.shown_preview = await asyncio.to_thread(
                self._read_preview, path, MAX_PREVIEW_BYTES
            )
        except OSError:  # the worker has replaced it, or the job is over
            pass
        except ValueError as error:
            log.warning("A preview of %s was refused: %s", record.id, error)
        return message_state.shown_preview
