"""Housekeeping: what goes when its time is over, and all of a member's when they ask for it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.dispatcher import Dispatcher
from bot.member_storage import MemberStorage
from bot.requests.reply_target import TOKEN_LIFE, ReplyTarget
from storage.blobs import BlobStore
from storage.clock import Clock, SystemClock
from storage.guilds import GuildStore
from storage.jobs import JobStore
from storage.moderation import ModerationStore
from storage.records import JobRecord, JobState

log = logging.getLogger(__name__)

#: A picture that no job names may belong to one that is only now being queued.
MIN_UNREFERENCED_AGE = timedelta(hours=1)
#: Of each pause, so that several Easels on one machine do not work at once.
PAUSE_JITTER_RATIO = 0.2
FIRST_PAUSE = 60.0  # seconds: a start has better things to do
#: The setting by which a server keeps its ended jobs for less time than the host does.
KEEP_DAYS_SETTING = "keep_days"
CANCELLED_LIFE = timedelta(days=1)  # that a cancelled job and its pictures are kept
MAX_CLOCK_LEAP = timedelta(days=1)  # that the clock may be ahead of when it was last believed
DOUBT_LENGTH = timedelta(days=1)  # of running, after which the clock is believed all the same
TOKENS_PER_PAGE = 500  # addresses rewritten before others have a turn
JOBS_PER_PAGE = 100  # jobs read at a time
LOG_TRIES, LOG_RETRY_SECONDS = 10, 0.2


@dataclass(frozen=True)
class MaintenanceTask:
    """Something done again and again."""

    name: str
    #: Between two times, in seconds.
    interval_seconds: float
    #: Does it, and says how many things went.
    work: Callable[[], Awaitable[int]]


class MaintenanceLoop:
    """Runs chores for as long as it is open; a chore that fails is tried again next time."""

    def __init__(self, chores: tuple[MaintenanceTask, ...]) -> None:
        self._chores = chores
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> MaintenanceLoop:
        self._tasks = [
            asyncio.create_task(self._repeat_task(chore), name=f"housekeeping {chore.name}")
            for chore in self._chores
        ]
        return self

    async def __aexit__(self, *exception: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat_task(self, chore: MaintenanceTask) -> None:
        await _pause_between_runs(min(FIRST_PAUSE, chore.interval_seconds))
        while True:
            await run_task(chore)
            await _pause_between_runs(chore.interval_seconds)


async def _pause_between_runs(seconds: float) -> None:
    await asyncio.sleep(seconds * random.uniform(1 - PAUSE_JITTER_RATIO, 1 + PAUSE_JITTER_RATIO))


async def run_task(chore: MaintenanceTask) -> int | None:
    """Do a chore once; None when it failed, which the log tells."""
    try:
        removed_count = await chore.work()
    except Exception:
        log.exception("The chore “%s” failed.", chore.name, extra={"action": "chore_failed"})
        return None
    log.log(
        logging.INFO if removed_count else logging.DEBUG,
        "Housekeeping, %s: %d gone.",
        chore.name,
        removed_count,
        extra={"action": "chore", "chore": chore.name, "gone": removed_count},
    )
    return removed_count


def default_tasks(
    jobs: JobStore,
    blobs: BlobStore,
    guilds: GuildStore,
    keep_days: float,
    clock: Clock | None = None,
    *,
    max_member_bytes: int = 0,
) -> tuple[MaintenanceTask, ...]:
    """List what is to be done from time to time.

    Args:
        jobs: the jobs, whose records end.
        blobs: the pictures, which go when no job names them.
        guilds: what servers have set; a server may keep things for less time than the host.
        keep_days: how long ended jobs are kept; 0 keeps them until somebody deletes them.
        clock: by default the machine's. Its steady side is what counts: a wall clock that is set
            forward must not end what is kept, and neither must one that is ahead at the start.
        max_member_bytes: what one member's pictures may take; 0 for no bound.
    """
    clock = clock or SystemClock()
    retention_clock = RetentionClock(jobs, clock)
    member_storage = MemberStorage(jobs, blobs, max_member_bytes)

    async def end_jobs() -> int:
        return await _end_jobs(jobs, guilds, keep_days, await retention_clock.read())

    async def sweep_images() -> int:
        return len(
            await blobs.sweep_unreferenced(
                await jobs.retention.referenced_blobs(), MIN_UNREFERENCED_AGE
            )
        )

    async def drop_tokens() -> int:
        return await _drop_tokens(jobs, clock.steady_time())

    async def empty_log() -> int:
        await jobs.retention.empty_log()  # a reader that is in the way now is gone next time
        return 0

    return (
        MaintenanceTask("jobs that were kept long enough", 3600.0, end_jobs),
        MaintenanceTask("jobs beyond what a member may keep", 3600.0, member_storage.trim_all),
        MaintenanceTask("pictures of no job", 3600.0, sweep_images),
        MaintenanceTask("tokens that no longer work", 60.0, drop_tokens),
        MaintenanceTask("what was deleted, in the database's log", 60.0, empty_log),
    )


class RetentionClock:
    """Tells the time by which kept jobs end, however wrong the machine's clock is at a start.

    The time that was last believed is kept in the database. Where the clock is further ahead of it
    than the bot can have been off for, time goes on from there at the speed of seconds, until the
    bot has run for a day with that clock: its host had a day to read the log and set it.
    """

    def __init__(self, jobs: JobStore, clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock
        #: The steady time when it was last read; None before the first time.
        self._read_at: datetime | None = None

    async def read(self) -> datetime:
        """Return the time, and note it."""
        steady = self._clock.steady_time()
        elapsed = timedelta(0) if self._read_at is None else steady - self._read_at
        self._read_at = steady
        trusted = await self._jobs.retention.trusted_time()
        if trusted is None:
            return await self._trust(steady)
        expected = trusted[0] + elapsed
        # A clock that was wrong at the start and was set since is right now.
        claimed_time = steady if _is_plausible(steady, expected) else self._earlier_time(steady)
        doubted_for = trusted[1] + elapsed
        if _is_plausible(claimed_time, expected) or doubted_for >= DOUBT_LENGTH:
            return await self._trust(claimed_time)
        await self._jobs.retention.save_trusted_time(expected, doubted_for)
        log.warning(
            "The clock says %s, which is %d days after it was last believed. Nothing that is kept "
            "ends by it before the bot has run for a day: if it is wrong, set it.",
            claimed_time.isoformat(timespec="seconds"),
            (claimed_time - expected).days,
            extra={"action": "clock_doubted"},
        )
        return expected

    def _earlier_time(self, steady: datetime) -> datetime:
        return min(steady, self._clock.now())

    async def _trust(self, moment: datetime) -> datetime:
        await self._jobs.retention.save_trusted_time(moment, timedelta(0))
        return moment


def _is_plausible(moment: datetime, expected: datetime) -> bool:
    return moment - expected <= MAX_CLOCK_LEAP


async def _end_jobs(
    jobs: JobStore, guilds: GuildStore, keep_days: float, current_time: datetime
) -> int:
    purged_count = await jobs.retention.purge_cancelled(current_time - CANCELLED_LIFE)
    if keep_days:
        purged_count += await jobs.retention.purge_ended(current_time - timedelta(days=keep_days))
    for guild in await jobs.retention.list_guilds():
        guild_keep_days = (await guilds.get_settings(guild)).get(KEEP_DAYS_SETTING)
        if guild_keep_days is not None:
            purged_count += await jobs.retention.purge_ended(
                current_time - timedelta(days=float(guild_keep_days)), guild
            )
    return purged_count


async def _drop_tokens(jobs: JobStore, current_time: datetime) -> int:
    """Take the tokens out of addresses when their time is over: a secret that opens nothing."""
    dropped_count = 0
    issued_before = current_time - TOKEN_LIFE - timedelta(minutes=1)
    while page := await jobs.deliveries.expired_reply_targets(issued_before, TOKENS_PER_PAGE):
        for id, address in page:
            reply_to = ReplyTarget.from_json(address)
            tokenless_address = address if reply_to is None else reply_to.without_token().to_json()
            dropped_count += (
                await jobs.deliveries.drop_reply_token(id, address, tokenless_address)
                and tokenless_address != address
            )
    return dropped_count


@dataclass(frozen=True)
class StoredUserData:
    """What is stored of a member."""

    jobs: int
    #: Keys of the pictures that their jobs started from or came to, in part or in the end.
    images: frozenset[str]


async def count_stored_data(owner: str, jobs: JobStore) -> StoredUserData:
    """Count what is stored of a member."""
    return StoredUserData(
        len(await _list_all_jobs(owner, jobs)),
        frozenset(await jobs.retention.referenced_blobs(owner)),
    )


async def erase_user_data(
    owner: str,
    dispatcher: Dispatcher,
    jobs: JobStore,
    blobs: BlobStore,
    guilds: GuildStore,
    moderation: ModerationStore,
) -> StoredUserData:
    """Call off what runs, delete a member's jobs, defaults, reports and pictures; return them.

    Pictures that somebody else's job needs, too, stay for that one.
    """
    for record in await jobs.reader.list_by_owner(
        owner, states=(JobState.QUEUED, JobState.RUNNING), limit=JOBS_PER_PAGE
    ):
        await dispatcher.cancel_job(record.id, owner)
    stored_data = await count_stored_data(owner, jobs)
    await jobs.retention.forget_owner(owner)
    await guilds.forget_member(owner)
    await moderation.forget_member(owner)
    for key in stored_data.images - await jobs.retention.referenced_blobs():
        await blobs.delete_blob(key)
    await _empty_log(jobs)
    return stored_data


async def _empty_log(jobs: JobStore) -> None:
    """Empty the database's log now, or leave it to the housekeeping where a reader stays long."""
    for _ in range(LOG_TRIES):
        if await jobs.retention.empty_log():
            return
        await asyncio.sleep(LOG_RETRY_SECONDS)


async def _list_all_jobs(owner: str, jobs: JobStore) -> list[JobRecord]:
    records: list[JobRecord] = []
    before_id: str | None = None
    while page := await jobs.reader.list_by_owner(owner, limit=JOBS_PER_PAGE, before_id=before_id):
        records += page
        before_id = page[-1].id
    return records
