"""The announcer: one visible result for each job, or an entry in its owner's outbox."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import discord

from bot import texts, views
from bot.delivery.composer import Composer
from bot.delivery.outgoing import Outgoing
from bot.delivery.progress import ProgressBoard
from bot.delivery.routes import NOT_DISCORD, PRIVATE, AnswerGone, Routes
from bot.dispatcher import IdleWait, Submission, straight
from bot.errors import Unreachable
from bot.failures import NOT_THROUGH
from bot.locales import speaking
from bot.logs import about
from bot.meter import Meter
from bot.reply_to import ReplyTo, language_at
from inference.events import Progress
from storage.blobs import BlobStore
from storage.errors import StorageError
from storage.jobs import JobStore
from storage.records import DeliveryState, JobRecord, JobState

log = logging.getLogger(__name__)

SWEEP_INTERVAL = 60.0  # seconds between two looks for results that did not get through
GIVE_UP_AFTER = timedelta(hours=24)
EDIT, POST, DIRECT = "edit", "post", "direct"


async def nobody(owner: str) -> bool:
    """Let no member be written to."""
    return False


class Delivery(Composer):
    """Shows progress and results in Discord; whatever happens here changes no job's outcome."""

    def __init__(
        self,
        jobs: JobStore,
        blobs: BlobStore,
        routes: Routes,
        board: ProgressBoard,
        idle_wait: IdleWait = straight,
    ) -> None:
        super().__init__(jobs, blobs)
        self.idle_wait: IdleWait = idle_wait
        #: Who measures.
        self.meter = Meter()
        #: Who says whether a member allowed direct messages.
        self.allows_direct: Callable[[str], Awaitable[bool]] = nobody
        self._routes = routes
        self.board = board
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: set[str] = set()
        self._sweeper: asyncio.Task[None] | None = None

    # What the dispatcher tells: both return at once and never raise.

    def progressed(self, record: JobRecord, progress: Progress) -> None:
        """Show a step, if it is time to."""
        reply_to = ReplyTo.decode(record.reply_to)
        if reply_to is None:
            return
        self.board.keep(record.id, progress.preview)
        if self.board.due(record.id):
            self._spawn(self.board.show(record, progress, reply_to), f"progress {record.id}")

    def settled(self, record: JobRecord) -> None:
        """Bring the end of a job to its owner."""
        if record.id in self._under_way:
            return
        self._under_way.add(record.id)
        self._spawn(self._settle(record), f"deliver {record.id}")

    # What the commands tell.

    async def opened(
        self, submission: Submission, reply_to: ReplyTo, notes: Iterable[str] = ()
    ) -> None:
        """Show a new job's place, unless it has already come further than that.

        The job is queued by now: what goes wrong here must not look as if it were not.
        """
        record = submission.record
        card = self.board.card(record.id)
        try:
            async with card.lock:
                current = await self._jobs.get(record.id)
                if current.state.is_terminal:
                    self.board.forget(record.id)
                elif card.shown_at is None:
                    with speaking(reply_to.language):
                        words = texts.waiting(
                            current,
                            submission.place,
                            workers_ready=submission.workers_ready,
                            notes=notes,
                            ready=submission.ready,
                            price=submission.price,
                        )
                        await self._routes.edit_card(reply_to, words, views.for_waiting(record))
        except (*NOT_THROUGH, StorageError) as error:
            log.warning("The place of job %s was not shown: %s", record.id, error)

    # Life.

    def start(self) -> None:
        """Take up what an earlier process left, and look again from time to time."""
        self._sweeper = asyncio.create_task(self._sweep(), name="delivery sweep")

    async def stop(self, grace: float) -> None:
        """Let what is under way get through, for at most `grace` seconds."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sweep(self) -> None:
        interrupted = True
        while True:
            try:
                await self._take_up(interrupted=interrupted)
                interrupted = False
            except StorageError:
                log.exception("Looking for undelivered results failed.")
            await self.idle_wait(asyncio.sleep(SWEEP_INTERVAL), reason="between delivery sweeps")

    async def _take_up(self, *, interrupted: bool) -> None:
        """Deliver what waits; at the start, first decide about what a crash left half sent."""
        if interrupted:
            for record in await self._jobs.interrupted_deliveries():
                if record.id not in self._under_way:
                    await self._jobs.requeue_delivery(record.id, "interrupted")
        for record in await self._jobs.pending_deliveries():
            self.settled(record)

    # One delivery.

    async def _settle(self, record: JobRecord) -> None:
        try:
            async with self.board.card(record.id).lock:
                with about(record), speaking(language_at(record.reply_to)):
                    await self._announce(record)
        except StorageError:
            log.exception("The delivery of %s could not be noted.", record.id)
        except Exception as error:
            log.exception("The delivery of %s failed.", record.id)
            await self._postpone(record, str(error))
        finally:
            self.board.forget(record.id)
            self._under_way.discard(record.id)

    async def _announce(self, record: JobRecord) -> None:
        reply_to = ReplyTo.decode(record.reply_to)
        if record.state is JobState.CANCELLED and record.delivery is DeliveryState.NONE:
            await self._say_cancelled(record, reply_to)
            return
        if reply_to is None:
            await self._jobs.undeliverable(record.id, NOT_DISCORD)
            return
        editable = reply_to.own or reply_to.token_works(discord.utils.utcnow())
        route = DIRECT if reply_to.direct else EDIT if editable else POST
        if not await self._jobs.begin_delivery(record.id, route):
            return
        try:
            message_id = await self._send(record, reply_to)
        except Unreachable as error:
            direct = await self._direct(record, reply_to)
            if direct is None:
                await self._jobs.undeliverable(record.id, str(error))
                self.meter.announced("undelivered")
                return
            # Readdressed first: whatever ends this process now, no later try goes elsewhere.
            await self._jobs.readdress(record.id, direct.encode())
            await self._jobs.requeue_delivery(record.id, str(error))
            await self._announce(replace(record, reply_to=direct.encode()))
        except NOT_THROUGH as error:
            log.warning("The result of %s did not get through: %s", record.id, error)
            await self._postpone(record, str(error))
        else:
            await self._jobs.delivered(record.id, str(message_id))
            self.meter.announced("sent")
            log.info("Job %s is shown as message %s.", record.id, message_id)
            await self._jobs.readdress(record.id, reply_to.without_token().encode())

    async def _direct(self, record: JobRecord, reply_to: ReplyTo) -> ReplyTo | None:
        """Return the member's direct messages as the next way, where they allowed them.

        Not where an earlier try may have arrived in a place that can no longer be looked into.
        """
        if reply_to.direct or reply_to.guild_id is None:
            return None
        if not await self.allows_direct(record.owner):
            return None
        if record.deliveries and not await self._routes.can_search(reply_to):
            return None
        channel = await self._routes.direct(record.owner)
        return None if channel is None else reply_to.directly(channel)

    async def _send(self, record: JobRecord, reply_to: ReplyTo) -> int:
        """Send a result by the first way that is open, and return the message's id."""
        try:
            return await self.fitting(
                record, reply_to.file_limit, lambda out: self._routes.edit(reply_to, out)
            )
        except AnswerGone as error:
            if reply_to.private and not reply_to.direct:
                raise Unreachable(PRIVATE) from error
        if record.deliveries:
            posted = await self._routes.find(reply_to, record.id)
            if posted is not None:
                if posted != reply_to.message_id:
                    await self._routes.point_to(reply_to, reply_to.link(posted))
                return posted
        limit = min(reply_to.file_limit, self._routes.file_limit(reply_to))
        return await self.fitting(record, limit, lambda out: self._routes.post(reply_to, out))

    async def _for_channel(self, outgoing: Outgoing, reply_to: ReplyTo) -> Outgoing:
        """Keep to what the channel takes: the member's own larger limit ended with the token."""
        limit = self._routes.file_limit(reply_to)
        if reply_to.file_limit <= limit:
            return outgoing
        return await self.compose(outgoing.record, limit)

    async def show_again(self, record: JobRecord) -> None:
        """Bring the message of a result that was announced in line with what may be shown now."""
        reply_to = ReplyTo.decode(record.reply_to)
        if reply_to is None or not record.message:
            return
        there = replace(reply_to, own=True, message_id=int(record.message))
        with speaking(there.language):
            outgoing = await self._for_channel(
                await self.compose(record, there.file_limit), there.without_token()
            )
            try:
                await self._routes.edit(there, outgoing)
            except (AnswerGone, *NOT_THROUGH) as error:
                log.info("The message of %s stays as it is: %s", record.id, error)

    async def take_away(self, record: JobRecord) -> bool:
        """Delete the message that shows a result; False where none is known."""
        reply_to = ReplyTo.decode(record.reply_to)
        if reply_to is None or not record.message:
            return False
        await self._routes.delete(reply_to, int(record.message))
        return True

    async def _say_cancelled(self, record: JobRecord, reply_to: ReplyTo | None) -> None:
        if reply_to is None:
            return
        with contextlib.suppress(*NOT_THROUGH):
            words, view = texts.cancelled(record), views.for_ended(record)
            await self._routes.edit_card(reply_to, words, view, files=[])

    async def _postpone(self, record: JobRecord, reason: str) -> None:
        """Leave it for the next sweep, or for good after a day."""
        ended = record.finished_at or record.created_at
        with contextlib.suppress(StorageError):
            if discord.utils.utcnow() - ended > GIVE_UP_AFTER:
                await self._jobs.undeliverable(record.id, reason)
            else:
                await self._jobs.requeue_delivery(record.id, reason)
                self.meter.announced("postponed")
