"""Housekeeping: what is kept for a time only goes when that time is over."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.dispatcher import Dispatcher
from bot.reply_to import TOKEN_LIFE, ReplyTo
from storage.blobs import BlobStore
from storage.clock import Clock, SystemClock
from storage.guilds import GuildStore
from storage.jobs import JobStore

log = logging.getLogger(__name__)

#: A picture that no job names may belong to one that is only now being queued.
YOUNG = timedelta(hours=1)
#: Of each pause, so that several Easels on one machine do not work at once.
JITTER = 0.2
FIRST_PAUSE = 60.0  # seconds: a start has better things to do
#: The setting by which a server keeps its ended jobs for less time than the host does.
KEEP_DAYS = "keep_days"
PAGE = 500  # addresses rewritten before others have a turn


@dataclass(frozen=True)
class Chore:
    """Something done again and again."""

    name: str
    #: Between two times, in seconds.
    every: float
    #: Does it, and says how many things went.
    work: Callable[[], Awaitable[int]]


class Housekeeper:
    """Runs chores for as long as it is open; a chore that fails is tried again next time."""

    def __init__(self, chores: tuple[Chore, ...], dispatcher: Dispatcher) -> None:
        self._chores = chores
        self._dispatcher = dispatcher  # whose wait it shares: who replaces that one means all
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Housekeeper:
        self._tasks = [
            asyncio.create_task(self._keep(chore), name=f"housekeeping {chore.name}")
            for chore in self._chores
        ]
        return self

    async def __aexit__(self, *exception: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, chore: Chore) -> None:
        await self._pause(min(FIRST_PAUSE, chore.every))
        while True:
            await do(chore)
            await self._pause(chore.every)

    async def _pause(self, seconds: float) -> None:
        lasting = seconds * random.uniform(1 - JITTER, 1 + JITTER)
        await self._dispatcher.idle_wait(asyncio.sleep(lasting), reason="between chores")


async def do(chore: Chore) -> int | None:
    """Do a chore once; None when it failed, which the log tells."""
    try:
        gone = await chore.work()
    except Exception:
        log.exception("The chore “%s” failed.", chore.name, extra={"action": "chore_failed"})
        return None
    log.log(
        logging.INFO if gone else logging.DEBUG,
        "Housekeeping, %s: %d gone.",
        chore.name,
        gone,
        extra={"action": "chore", "chore": chore.name, "gone": gone},
    )
    return gone


def chores(
    jobs: JobStore,
    blobs: BlobStore,
    guilds: GuildStore,
    keep_days: float,
    clock: Clock | None = None,
) -> tuple[Chore, ...]:
    """List the house's chores.

    Args:
        jobs: the jobs, whose records end.
        blobs: the pictures, which go when no job names them.
        guilds: what servers have set; a server may keep things for less time than the host.
        keep_days: how long ended jobs are kept; 0 keeps them until somebody deletes them.
        clock: by default the machine's. Its steady side is what counts: a wall clock that is set
            forward must not end what is kept.
    """
    now = (clock or SystemClock()).steady

    async def end_jobs() -> int:
        return await _end_jobs(jobs, guilds, keep_days, now())

    async def sweep_pictures() -> int:
        return len(await blobs.sweep(await jobs.referenced_blobs(), YOUNG))

    async def drop_tokens() -> int:
        return await _drop_tokens(jobs, now())

    return (
        Chore("jobs that were kept long enough", 3600.0, end_jobs),
        Chore("pictures of no job", 3600.0, sweep_pictures),
        Chore("tokens that no longer work", 60.0, drop_tokens),
    )


async def _end_jobs(jobs: JobStore, guilds: GuildStore, keep_days: float, now: datetime) -> int:
    gone = await jobs.purge(now - timedelta(days=keep_days)) if keep_days else 0
    for guild in await jobs.guilds():
        own = (await guilds.settings(guild)).get(KEEP_DAYS)
        if own is not None:
            gone += await jobs.purge(now - timedelta(days=float(own)), guild)
    return gone


async def _drop_tokens(jobs: JobStore, now: datetime) -> int:
    """Take the tokens out of addresses when their time is over: a secret that opens nothing."""
    dropped = 0
    before = now - TOKEN_LIFE - timedelta(minutes=1)
    while page := await jobs.old_addresses(before, PAGE):
        for id, address in page:
            reply_to = ReplyTo.decode(address)
            lasting = address if reply_to is None else reply_to.without_token().encode()
            dropped += await jobs.retire_address(id, address, lasting) and lasting != address
    return dropped
