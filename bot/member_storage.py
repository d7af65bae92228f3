"""What one member may keep on the disk: the oldest ended jobs make room for new pictures."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from datetime import timedelta

from bot.errors import MemberStorageFull
from storage.blobs import BlobStore
from storage.jobs import JobStore
from storage.jobs.retention import KeptJob

log = logging.getLogger(__name__)

#: Of the bound, how much is left when room was made, so that it is not made with every picture.
ROOM_MADE_SHARE = 0.1
#: How long a measured sum is believed: what jobs come to is only counted anew.
MEASURED_SECONDS = 600.0
#: A picture stored so lately may be another member's too, of a job that is only now being queued.
MIN_DISCARDED_AGE = timedelta(minutes=1)


class MemberStorage:
    """Bounds what each member's pictures take on the disk.

    Args:
        jobs: the jobs, which name pictures.
        blobs: the pictures.
        max_bytes: the bound for each member; 0 for none.
    """

    def __init__(self, jobs: JobStore, blobs: BlobStore, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._jobs = jobs
        self._blobs = blobs
        self._turn = asyncio.Lock()
        #: By member: bytes, and when they were measured, by the monotonic clock.
        self._measured: dict[str, tuple[int, float]] = {}

    async def measure(self, owner: str) -> int:
        """Return the bytes that a member's pictures take; one in several jobs counts once."""
        kept_jobs = await self._jobs.retention.list_kept(owner)
        return sum((await self._sizes_of(kept_jobs)).values())

    async def make_room(self, owner: str, new_bytes: int) -> None:
        """Have room for a member's new pictures, if need be in place of their oldest ended jobs.

        Raises:
            MemberStorageFull: there would be none even then; nothing was deleted.
        """
        if not self.max_bytes:
            return
        async with self._turn:
            used_bytes, measured_at = self._measured.get(owner, (0, float("-inf")))
            current_time = time.monotonic()
            if (
                current_time - measured_at > MEASURED_SECONDS
                or used_bytes + new_bytes > self.max_bytes
            ):
                used_bytes = await self._trim(owner, new_bytes)
                measured_at = current_time
            self._measured[owner] = (used_bytes + new_bytes, measured_at)

    async def trim_all(self) -> int:
        """Hold every member to the bound; return how many jobs went."""
        if not self.max_bytes:
            return 0
        count_before = sum((await self._jobs.reader.count_by_state()).values())
        for owner in await self._jobs.retention.list_owners():
            async with self._turn:
                self._measured.pop(owner, None)
                try:
                    await self._trim(owner, 0)
                except MemberStorageFull:
                    log.info("What a member keeps is over the bound, and owed or under way.")
        return count_before - sum((await self._jobs.reader.count_by_state()).values())

    async def _trim(self, owner: str, new_bytes: int) -> int:
        """Delete a member's oldest ended jobs where the bound asks for it; return the bytes left.

        Raises:
            MemberStorageFull: the bound cannot be kept; nothing was deleted.
        """
        kept_jobs = await self._jobs.retention.list_kept(owner)
        sizes = await self._sizes_of(kept_jobs)
        used_bytes = sum(sizes.values())
        if used_bytes + new_bytes <= self.max_bytes:
            return used_bytes
        references = Counter(key for job in kept_jobs for key in job.keys)
        goal = self.max_bytes * (1 - ROOM_MADE_SHARE) - new_bytes
        departing_jobs: list[KeptJob] = []
        for job in kept_jobs:
            if used_bytes <= goal:
                break
            if job.may_go:
                departing_jobs.append(job)
                references.subtract(job.keys)
                used_bytes -= sum(sizes[key] for key in job.keys if not references[key])
        if used_bytes + new_bytes > self.max_bytes:
            raise MemberStorageFull(limit=f"{self.max_bytes / 2**30:.3g} GiB")
        await self._delete_jobs(departing_jobs)
        return used_bytes

    async def _delete_jobs(self, departing_jobs: list[KeptJob]) -> None:
        ids = [job.id for job in departing_jobs]
        count = await self._jobs.retention.delete_kept(ids)
        keys = {key for job in departing_jobs for key in job.keys}
        orphans = keys - await self._jobs.retention.referenced_blobs()
        await self._blobs.discard(orphans, MIN_DISCARDED_AGE)
        log.info(
            "A member's %d oldest jobs went, since their pictures took more than the bound.",
            count,
            extra={"action": "member_storage", "gone": count},
        )

    async def _sizes_of(self, kept_jobs: list[KeptJob]) -> dict[str, int]:
        return await self._blobs.sizes_of({key for job in kept_jobs for key in job.keys})
