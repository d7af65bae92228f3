"""The announcer: one visible result for each job, or an entry in its owner's outbox."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import discord

from bot import messages
from bot.delivery.message_builder import MessageBuilder, ResultMessage
from bot.delivery.progress import ProgressUpdater
from bot.delivery.protocols import JobViews
from bot.delivery.refusals import PrivateRefusals
from bot.delivery.sender import NOT_DISCORD, PRIVATE_REPLY_ENDED, MessageSender, ReplyUneditable
from bot.dispatcher import SubmitResult, WaitHook
from bot.errors import NoDeliveryRoute
from bot.i18n import use_language
from bot.requests.reply_target import (
    DEFAULT_FILE_LIMIT_BYTES,
    ReplyTarget,
    build_card,
    card_colour,
)
from bot.support.discord_errors import TRANSPORT_ERRORS
from bot.support.logging import job_log_context
from bot.support.loops import LoopHealth
from bot.support.metrics import MetricsSink
from inference.api.messages import JobProgress
from storage.errors import StorageError
from storage.jobs import JobStore
from storage.records import DeliveryState, JobRecord, JobState

log = logging.getLogger(__name__)

SWEEP_SECONDS = 60.0  # between two looks for results that did not get through
GIVE_UP_AFTER = timedelta(hours=24)
HTTP_TOO_LARGE = 413  # HTTP status of a request with too large files
RETRY_FILE_LIMITS = (DEFAULT_FILE_LIMIT_BYTES, DEFAULT_FILE_LIMIT_BYTES // 4)
"""Bytes of one file that are tried where Discord refuses what it said it would take."""
EDIT, POST, DIRECT = "edit", "post", "direct"


class ResultDelivery:
    """Shows progress and results in Discord; whatever happens here changes no job's outcome.

    Args:
        jobs: the store of jobs.
        builder: makes the messages.
        sender: sends them.
        progress: shows steps.
        views: the buttons of jobs that wait or were cancelled.
        is_dm_allowed: says whether a member allowed direct messages.
        metrics: measures.
        give_up_after: how long after a job's end its result is tried to be shown.
        health: keeps the sweep going and says when it fails.
    """

    def __init__(
        self,
        jobs: JobStore,
        builder: MessageBuilder,
        sender: MessageSender,
        progress: ProgressUpdater,
        views: JobViews,
        is_dm_allowed: Callable[[str], Awaitable[bool]],
        metrics: MetricsSink,
        give_up_after: timedelta = GIVE_UP_AFTER,
        health: LoopHealth | None = None,
    ) -> None:
        self._jobs = jobs
        self._builder = builder
        #: The ways to a member.
        self.sender = sender
        self._progress = progress
        self._views = views
        self._refusals = PrivateRefusals(jobs, builder, sender, views)
        self._is_dm_allowed = is_dm_allowed
        self._metrics = metrics
        self._give_up_after = give_up_after
        self._health = health or LoopHealth()
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: set[str] = set()
        self._sweeper: asyncio.Task[None] | None = None

    # What the dispatcher tells: both return at once and never raise.

    def on_progress(self, record: JobRecord, progress: JobProgress) -> None:
        """Show a step, if it is time to."""
        self._progress.set_preview(record.id, progress.preview)
        if not self._progress.should_update(record.id):
            return
        reply_to = ReplyTarget.from_json(record.reply_to)
        if reply_to is not None:
            self._spawn_task(
                self._progress.show_progress(record, progress, reply_to), f"progress {record.id}"
            )

    def on_job_ended(self, record: JobRecord) -> None:
        """Bring the end of a job to its owner."""
        if record.id in self._under_way:
            return
        self._under_way.add(record.id)
        self._spawn_task(self._run_delivery(record), f"deliver {record.id}")

    # What the commands tell.

    async def show_queued(
        self, submission: SubmitResult, reply_to: ReplyTarget, notes: Iterable[str] = ()
    ) -> None:
        """Show a new job's place, unless it has already come further than that.

        The job is queued by now: what goes wrong here must not look as if it were not.
        """
        record = submission.record
        message_state = self._progress.state_for(record.id)
        try:
            async with message_state.lock:
                current = await self._jobs.reader.get_job(record.id)
                if current.state.is_terminal:
                    self._progress.forget_job(record.id)
                elif message_state.shown_at is None:
                    with use_language(reply_to.language):
                        content = messages.waiting_card(
                            current,
                            submission.place,
                            workers_ready=submission.workers_ready,
                            missing=submission.missing,
                            notes=notes,
                            ready_span=submission.ready,
                            price=submission.price,
                        )
                        card = build_card(
                            content, self._views.rows_for_waiting(record), (), card_colour(record)
                        )
                        await self.sender.edit_status(reply_to, card)
        except (*TRANSPORT_ERRORS, StorageError) as error:
            log.warning("The place of job %s was not shown: %s", record.id, error)

    # Life.

    def start(self, idle_wait: WaitHook) -> None:
        """Take up what an earlier process left, and look again from time to time."""
        self._sweeper = asyncio.create_task(self._sweep_pending(idle_wait), name="delivery sweep")

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

    def _spawn_task(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sweep_pending(self, idle_wait: WaitHook) -> None:
        include_interrupted = True

        async def pause() -> None:
            await idle_wait(asyncio.sleep(SWEEP_SECONDS), reason="between delivery sweeps")

        async def sweep_once() -> None:
            nonlocal include_interrupted
            await self._resume_deliveries(include_interrupted=include_interrupted)
            include_interrupted = False
            await pause()

        await self._health.run_loop("delivery", sweep_once, pause)

    async def _resume_deliveries(self, *, include_interrupted: bool) -> None:
        """Deliver what waits; at the start, first decide about what a crash left half sent."""
        if include_interrupted:
            for record in await self._jobs.deliveries.interrupted_deliveries():
                if record.id not in self._under_way:
                    await self._jobs.deliveries.requeue_delivery(record.id, "interrupted")
        for record in await self._jobs.deliveries.pending_deliveries():
            self.on_job_ended(record)

    # One delivery.

    async def _run_delivery(self, record: JobRecord) -> None:
        reply_to = ReplyTarget.from_json(record.reply_to)
        try:
            async with self._progress.state_for(record.id).lock:
                with job_log_context(record), use_language(reply_to.language if reply_to else ""):
                    await self._announce_result(record, reply_to)
        except StorageError:
            log.exception("The delivery of %s could not be noted.", record.id)
        except Exception as error:
            log.exception("The delivery of %s failed.", record.id)
            await self._postpone_delivery(record, str(error))
        finally:
            self._progress.forget_job(record.id)
            self._under_way.discard(record.id)

    async def _announce_result(self, record: JobRecord, reply_to: ReplyTarget | None) -> None:
        if record.state is JobState.CANCELLED and record.delivery is DeliveryState.NONE:
            await self._say_cancelled(record, reply_to)
            return
        if reply_to is None:
            await self._jobs.deliveries.mark_undeliverable(record.id, NOT_DISCORD)
            return
        editable = reply_to.own or reply_to.is_token_valid(discord.utils.utcnow())
        route = DIRECT if reply_to.direct else EDIT if editable else POST
        if not await self._jobs.deliveries.begin_delivery(record.id, route):
            return
        try:
            message_id = None
            if record.state is JobState.FAILED:
                message_id = await self._refusals.tell_privately(record, reply_to)
            if message_id is None:
                message_id = await self._send_result(record, reply_to)
        except NoDeliveryRoute as error:
            dm_target = await self._dm_target(record, reply_to)
            if dm_target is None:
                await self._jobs.deliveries.mark_undeliverable(record.id, str(error))
                self._metrics.record_announcement("undelivered")
                return
            # Readdressed first: whatever ends this process now, no later try goes elsewhere.
            dm_address = dm_target.to_json()
            await self._jobs.deliveries.update_reply_to(record.id, dm_address)
            await self._jobs.deliveries.requeue_delivery(record.id, str(error))
            await self._announce_result(replace(record, reply_to=dm_address), dm_target)
        except TRANSPORT_ERRORS as error:
            log.warning("The result of %s did not get through: %s", record.id, error)
            await self._postpone_delivery(record, str(error))
        else:
            lasting_target = reply_to.without_token().to_json()
            await self._jobs.deliveries.mark_delivered(record.id, str(message_id), lasting_target)
            self._metrics.record_announcement("sent")
            log.info("Job %s is shown as message %s.", record.id, message_id)

    async def _dm_target(self, record: JobRecord, reply_to: ReplyTarget) -> ReplyTarget | None:
        """Return the member's direct messages as the next way, where they allowed them.

        Not where an earlier try may have arrived in a place that can no longer be looked into.
        """
        if reply_to.direct or reply_to.guild_id is None:
            return None
        if not await self._is_dm_allowed(record.owner):
            return None
        if record.deliveries and not await self.sender.can_search(reply_to):
            return None
        channel = await self.sender.open_dm(record.owner)
        return None if channel is None else reply_to.via_dm(channel)

    async def _send_result(self, record: JobRecord, reply_to: ReplyTarget) -> int:
        """Send a result by the first way that is open, and return the message's id."""
        try:
            return await self._send_within_limit(
                record, reply_to.file_limit, partial(self.sender.edit_original, reply_to)
            )
        except ReplyUneditable as error:
            if reply_to.private and not reply_to.direct:
                raise NoDeliveryRoute(PRIVATE_REPLY_ENDED) from error
        if record.deliveries:
            posted_id = await self.sender.find_delivered(reply_to, record)
            if posted_id is not None:
                if posted_id != reply_to.message_id:
                    await self.sender.link_to_result(reply_to, reply_to.message_url(posted_id))
                return posted_id
        limit = min(reply_to.file_limit, self.sender.file_limit(reply_to))
        return await self._send_within_limit(
            record, limit, partial(self.sender.post_result, reply_to)
        )

    async def _send_within_limit(
        self, record: JobRecord, limit: int, send: Callable[[ResultMessage], Awaitable[int]]
    ) -> int:
        """Send a result with files of at most `limit` bytes, smaller ones where that is refused."""
        for smaller_limit in (
            retry_limit for retry_limit in RETRY_FILE_LIMITS if retry_limit < limit
        ):
            try:
                return await send(await self._builder.build_message(record, limit))
            except discord.HTTPException as error:
                if error.status != HTTP_TOO_LARGE:
                    raise
                log.info("Files of %d bytes are refused for %s.", limit, record.id)
                limit = smaller_limit
        return await send(await self._builder.build_message(record, limit))

    async def _fit_to_channel(self, message: ResultMessage, reply_to: ReplyTarget) -> ResultMessage:
        """Keep to what the channel takes: the member's own larger limit ended with the token."""
        limit = self.sender.file_limit(reply_to)
        if reply_to.file_limit <= limit:
            return message
        return await self._builder.build_message(message.record, limit)

    async def refresh_message(self, record: JobRecord) -> None:
        """Bring the message of a result that was announced in line with what may be shown now."""
        reply_to = ReplyTarget.from_json(record.reply_to)
        if reply_to is None or not record.message:
            return
        edit_target = replace(reply_to, own=True, message_id=int(record.message))
        with use_language(edit_target.language):
            message = await self._fit_to_channel(
                await self._builder.build_message(record, edit_target.file_limit),
                edit_target.without_token(),
            )
            try:
                await self.sender.edit_original(edit_target, message)
            except (ReplyUneditable, *TRANSPORT_ERRORS) as error:
                log.info("The message of %s stays as it is: %s", record.id, error)

    async def delete_message(self, record: JobRecord) -> bool:
        """Delete the message that shows a result; False where none is known."""
        reply_to = ReplyTarget.from_json(record.reply_to)
        if reply_to is None or not record.message:
            return False
        await self.sender.delete_message(reply_to, int(record.message))
        return True

    async def delete_post(self, channel: int, message: int) -> None:
        """Delete one more message that shows a result. Never raises for Discord's sake."""
        try:
            await self.sender.delete_post(channel, message)
        except TRANSPORT_ERRORS as error:
            log.info("The message %d was not deleted: %s", message, error)

    async def _say_cancelled(self, record: JobRecord, reply_to: ReplyTarget | None) -> None:
        if reply_to is None:
            return
        with contextlib.suppress(*TRANSPORT_ERRORS):
            if await self._refusals.restore_previous(record, reply_to):
                return
            rows = self._views.rows_for_ended(record)
            card = build_card(messages.cancelled_card(record), rows, (), card_colour(record))
            await self.sender.edit_status(reply_to, card)

    async def _postpone_delivery(self, record: JobRecord, reason: str) -> None:
        """Leave it for the next sweep, or for good after a day."""
        ended_at = record.finished_at or record.created_at
        with contextlib.suppress(StorageError):
            if discord.utils.utcnow() - ended_at > self._give_up_after:
                await self._jobs.deliveries.mark_undeliverable(record.id, reason)
            else:
                await self._jobs.deliveries.requeue_delivery(record.id, reason)
                self._metrics.record_announcement("postponed")
