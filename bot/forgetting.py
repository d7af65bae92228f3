"""Forget a member: everything of theirs, and nothing of anybody else's."""

from __future__ import annotations

from dataclasses import dataclass

from bot.dispatcher import Dispatcher
from storage.blobs import BlobStore
from storage.guilds import GuildStore
from storage.jobs import JobStore
from storage.moderation import ModerationStore
from storage.records import JobRecord, JobState

PAGE = 100  # jobs read at a time


@dataclass(frozen=True)
class Kept:
    """What is stored of a member."""

    jobs: int
    #: Keys of the pictures that their jobs started from or came to, in part or in the end.
    pictures: frozenset[str]


async def kept_of(owner: str, jobs: JobStore) -> Kept:
    """Count what is stored of a member."""
    return Kept(len(await _all_of(owner, jobs)), frozenset(await jobs.referenced_blobs(owner)))


async def forget(
    owner: str,
    dispatcher: Dispatcher,
    jobs: JobStore,
    blobs: BlobStore,
    guilds: GuildStore | None,
    moderation: ModerationStore | None = None,
) -> Kept:
    """Call off what runs, delete a member's jobs, defaults, reports and pictures; return them.

    Pictures that somebody else's job needs, too, stay for that one.
    """
    for record in await jobs.list_for(
        owner, states=(JobState.QUEUED, JobState.RUNNING), limit=PAGE
    ):
        await dispatcher.cancel(record.id, owner)
    kept = await kept_of(owner, jobs)
    await jobs.forget(owner)
    if guilds is not None:
        await guilds.forget_member(owner)
    if moderation is not None:
        await moderation.forget_member(owner)
    for key in kept.pictures - await jobs.referenced_blobs():
        await blobs.delete(key)
    return kept


async def _all_of(owner: str, jobs: JobStore) -> list[JobRecord]:
    found: list[JobRecord] = []
    before: str | None = None
    while page := await jobs.list_for(owner, limit=PAGE, before=before):
        found += page
        before = page[-1].id
    return found
