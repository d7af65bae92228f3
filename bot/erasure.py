"""Forget a member: everything of theirs, and nothing of anybody else's."""

from __future__ import annotations

from dataclasses import dataclass

from bot.dispatcher import Dispatcher
from storage.blobs import BlobStore
from storage.guilds import GuildStore
from storage.jobs import JobStore
from storage.moderation import ModerationStore
from storage.records import JobRecord, JobState

JOBS_PER_PAGE = 100  # jobs read at a time


@dataclass(frozen=True)
class StoredUserData:
    """What is stored of a member."""

    jobs: int
    #: Keys of the pictures that their jobs started from or came to, in part or in the end.
    images: frozenset[str]


async def count_stored_data(owner: str, jobs: JobStore) -> StoredUserData:
    """Count what is stored of a member."""
    return StoredUserData(
        len(await _list_all_jobs(owner, jobs)), frozenset(await jobs.referenced_blobs(owner))
    )


async def erase_user_data(
    owner: str,
    dispatcher: Dispatcher,
    jobs: JobStore,
    blobs: BlobStore,
    guilds: GuildStore | None,
    moderation: ModerationStore | None = None,
) -> StoredUserData:
    """Call off what runs, delete a member's jobs, defaults, reports and pictures; return them.

    Pictures that somebody else's job needs, too, stay for that one.
    """
    for record in await jobs.list_by_owner(
        owner, states=(JobState.QUEUED, JobState.RUNNING), limit=JOBS_PER_PAGE
    ):
        await dispatcher.cancel_job(record.id, owner)
    stored_data = await count_stored_data(owner, jobs)
    await jobs.forget_owner(owner)
    if guilds is not None:
        await guilds.forget_member(owner)
    if moderation is not None:
        await moderation.forget_member(owner)
    for key in stored_data.images - await jobs.referenced_blobs():
        await blobs.delete_blob(key)
    return stored_data


async def _list_all_jobs(owner: str, jobs: JobStore) -> list[JobRecord]:
    records: list[JobRecord] = []
    before_id: str | None = None
    while page := await jobs.list_by_owner(owner, limit=JOBS_PER_PAGE, before_id=before_id):
        records += page
        before_id = page[-1].id
    return records
