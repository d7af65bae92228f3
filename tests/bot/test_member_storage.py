from __future__ import annotations

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import MemberStorageFull
from bot.member_storage import MemberStorage
from storage.blobs import BlobStore
from storage.database import Database
from storage.jobs import JobStore
from tests.storage.factories import LEASE, ROOMY, make_job, quick_folder


class Shelf:
    """Members' jobs with pictures of so many bytes, and the bound on them."""

    def __init__(self, database, folder, max_bytes):
        self.jobs = JobStore(database)
        self.blobs = BlobStore(folder / "blobs")
        self.storage = MemberStorage(self.jobs, self.blobs, max_bytes)

    async def put(self, size, mark="x"):
        """Store a picture, long enough ago that nobody can be about to name it."""
        key = await self.blobs.put(mark.encode() + bytes(size - len(mark)))
        self.blobs._stored_at.clear()
        os.utime(self.blobs.path_of(key), (time.time() - 9e5,) * 2)
        return key

    async def add(self, *keys, owner="ada", ended=True):
        inputs = {f"image{number}": key for number, key in enumerate(keys)}
        job, _ = await self.jobs.queue.enqueue(make_job(inputs=inputs, owner=owner), ROOMY)
        if ended:
            await self.jobs.queue.cancel_job(job.id, owner)
        return job.id

    async def kept(self, owner="ada"):
        records = await self.jobs.reader.list_by_owner(owner, limit=100)
        return [record.id for record in reversed(records)]


@pytest.fixture
async def make_shelf():
    with quick_folder() as folder:
        async with Database(folder / "easel.db") as database:
            yield lambda max_bytes: Shelf(database, folder, max_bytes)


async def test_the_oldest_ended_jobs_make_room_and_their_pictures_go_at_once(make_shelf):
    shelf = make_shelf(1000)
    keys = [await shelf.put(300, mark) for mark in "abc"]
    jobs = [await shelf.add(key) for key in keys]
    other = await shelf.add(await shelf.put(300, "d"), owner="bob")

    await shelf.storage.make_room("ada", 90)
    assert await shelf.kept() == jobs
    await shelf.storage.make_room("ada", 300)

    assert await shelf.kept() == jobs[1:]
    assert not await shelf.blobs.exists(keys[0])
    assert await shelf.storage.measure("ada") == 600
    assert await shelf.kept("bob") == [other]


async def test_a_starred_job_goes_after_all_others(make_shelf):
    shelf = make_shelf(1000)
    jobs = [await shelf.add(await shelf.put(300, mark)) for mark in "abc"]
    await shelf.jobs.retention.set_star(jobs[0], is_starred=True)

    await shelf.storage.make_room("ada", 300)
    assert await shelf.kept() == [jobs[0], jobs[2]]
    await shelf.storage.make_room("ada", 800)
    assert await shelf.kept() == []


async def test_what_others_need_stays(make_shelf):
    shelf = make_shelf(1000)
    shared = await shelf.put(800)
    await shelf.add(shared)
    await shelf.add(shared, owner="bob")

    await shelf.storage.make_room("ada", 500)

    assert await shelf.kept() == []
    assert await shelf.blobs.exists(shared)


async def test_a_picture_that_younger_jobs_share_frees_nothing_before_them(make_shelf):
    shelf = make_shelf(1000)
    shared, single = await shelf.put(500, "a"), await shelf.put(400, "b")
    jobs = [await shelf.add(shared), await shelf.add(single), await shelf.add(shared)]

    await shelf.storage.make_room("ada", 200)

    assert await shelf.kept() == jobs[2:]
    assert await shelf.blobs.list_keys() == {shared}


async def test_what_is_under_way_or_owed_is_never_given_up_for_room(make_shelf):
    shelf = make_shelf(1000)
    gone = await shelf.add(await shelf.put(100, "a"))
    waits = await shelf.add(await shelf.put(800, "b"), ended=False)

    with pytest.raises(MemberStorageFull, match="unfinished jobs need"):
        await shelf.storage.make_room("ada", 300)
    assert await shelf.kept() == [gone, waits]

    job = await shelf.jobs.queue.claim("gpu-0", LEASE)
    await shelf.jobs.queue.finish_job(job.id, 1, "gpu-0", {"pictures": []})
    with pytest.raises(MemberStorageFull):
        await shelf.storage.make_room("ada", 300)

    await shelf.jobs.deliveries.begin_delivery(job.id)
    await shelf.jobs.deliveries.mark_delivered(job.id, "message")
    await shelf.storage.make_room("ada", 300)
    assert await shelf.kept() == []


async def test_what_jobs_came_to_is_held_to_the_bound_every_hour(make_shelf):
    shelf = make_shelf(1000)
    jobs = [await shelf.add(await shelf.put(400, mark)) for mark in "abc"]
    others = [await shelf.add(await shelf.put(400, mark), owner="bob") for mark in "de"]

    assert await shelf.storage.trim_all() == 1

    assert (await shelf.kept(), await shelf.kept("bob")) == (jobs[1:], others)


async def test_without_a_bound_nothing_goes(make_shelf):
    shelf = make_shelf(0)
    job = await shelf.add(await shelf.put(1000))

    await shelf.storage.make_room("ada", 10**12)
    assert await shelf.storage.trim_all() == 0

    assert await shelf.kept() == [job]


@given(
    sizes=st.lists(st.integers(10, 600), min_size=1, max_size=12),
    shares=st.lists(st.integers(0, 3), min_size=12, max_size=12),
    waiting=st.lists(st.booleans(), min_size=12, max_size=12),
)
async def test_whatever_is_uploaded_the_bound_holds_and_unfinished_jobs_stay(
    sizes, shares, waiting
):
    with quick_folder() as folder:
        async with Database(folder / "easel.db") as database:
            shelf = Shelf(database, folder, 1000)
            unfinished = []
            for number, size in enumerate(sizes):
                try:
                    await shelf.storage.make_room("ada", size)
                except MemberStorageFull:
                    assert unfinished
                    continue
                # Some jobs are of pictures that were uploaded before.
                key = await shelf.put(size, f"{shares[number]}")
                job = await shelf.add(key, ended=not waiting[number])
                unfinished += [job] if waiting[number] else []
                assert await shelf.storage.measure("ada") <= 1000
            assert set(unfinished) <= set(await shelf.kept())
            for job in unfinished:
                for key in (await shelf.jobs.reader.get_job(job)).inputs.values():
                    assert await shelf.blobs.exists(key)
