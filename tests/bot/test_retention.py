from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from bot import retention
from bot.requests.reply_target import ReplyTarget
from bot.retention import MaintenanceLoop, MaintenanceTask, default_tasks, run_task
from storage.blobs import BlobStore
from storage.database import Database
from storage.errors import DiskFull, UnknownJob
from storage.guilds import GuildStore
from storage.jobs import JobStore
from storage.migrations import MIGRATIONS_FOLDER, Migration
from tests.patience import PATIENCE
from tests.storage.factories import LEASE, ROOMY, FakeClock, make_job, quick_folder

ADDRESS = ReplyTarget(
    application_id=1,
    token="an-interaction-token",
    asked_at=datetime(2026, 3, 1, tzinfo=UTC),
    channel_id=2,
    guild_id=3,
    message_id=4,
)


class Rooms:
    """A store whose clock is set by hand, and the chores over it."""

    def __init__(self, database, folder, keep_days):
        self.database = database
        self.clock = FakeClock()
        self.clock.wall = datetime.now(UTC)
        self.jobs = JobStore(database, self.clock)
        self.blobs = BlobStore(folder / "blobs")
        self.guilds = GuildStore(database)
        self.end_jobs, self.trim, self.sweep, self.drop, self.empty_log = default_tasks(
            self.jobs, self.blobs, self.guilds, keep_days
        )

    async def ended(self, days, guild="guild", **more):
        """A job that ended so many days ago, and the picture it came to."""
        self.clock.wall = datetime.now(UTC) - timedelta(days=days)
        await self.jobs.queue.enqueue(make_job(guild=guild, **more), ROOMY)
        job = await self.jobs.queue.claim("gpu-0", LEASE)
        key = await self.blobs.put(job.id.encode())
        await self.jobs.queue.finish_job(job.id, 1, "gpu-0", {"pictures": [{"key": key}]})
        await self.jobs.deliveries.begin_delivery(job.id)
        await self.jobs.deliveries.mark_delivered(job.id, "message")
        return job.id, key

    def age(self, key):
        """Make a picture look as if it had been stored long ago."""
        os.utime(self.blobs.path_of(key), (time.time() - 9e5,) * 2)
        self.blobs._stored_at.clear()

    async def kept(self, id):
        try:
            await self.jobs.reader.get_job(id)
        except UnknownJob:
            return False
        return True


@pytest.fixture
async def make_rooms():
    with quick_folder() as folder:
        async with Database(folder / "easel.db") as database:
            yield lambda keep_days=30: Rooms(database, folder, keep_days)


async def test_a_star_prolongs_nothing(make_rooms):
    rooms = make_rooms(keep_days=30)
    old, _ = await rooms.ended(31)
    young, _ = await rooms.ended(29)
    for job in (old, young):
        await rooms.jobs.retention.set_star(job, is_starred=True)

    await run_task(rooms.end_jobs)

    assert [await rooms.kept(job) for job in (old, young)] == [False, True]
    assert await rooms.jobs.reader.list_starred([old, young]) == {young}


async def test_what_was_kept_long_enough_goes_with_its_pictures(make_rooms):
    rooms = make_rooms(30)
    old, old_key = await rooms.ended(31)
    recent, recent_key = await rooms.ended(29)

    assert await run_task(rooms.end_jobs) == 1
    for key in (old_key, recent_key):
        rooms.age(key)
    assert await run_task(rooms.sweep) == 1

    assert (await rooms.kept(old), await rooms.kept(recent)) == (False, True)
    assert (
        await rooms.blobs.exists(old_key),
        await rooms.blobs.exists(recent_key),
    ) == (False, True)


async def test_a_server_may_keep_less(make_rooms):
    rooms = make_rooms(30)
    await rooms.guilds.change_settings("brief", "ada", {"keep_days": 2})
    gone, _ = await rooms.ended(3, "brief")
    stays, _ = await rooms.ended(1, "brief")
    elsewhere, _ = await rooms.ended(3, "other")
    direct, _ = await rooms.ended(3, None)

    assert await run_task(rooms.end_jobs) == 1

    assert not await rooms.kept(gone)
    assert all([await rooms.kept(id) for id in (stays, elsewhere, direct)])


async def test_without_an_end_nothing_goes(make_rooms):
    rooms = make_rooms(0)
    id, key = await rooms.ended(9999)
    rooms.age(key)

    assert (await run_task(rooms.end_jobs), await run_task(rooms.sweep)) == (0, 0)

    assert await rooms.kept(id)
    assert await rooms.blobs.exists(key)


async def test_a_wall_clock_that_is_set_ends_nothing(make_rooms):
    rooms = make_rooms(30)
    id, _ = await rooms.ended(1)
    clock = FakeClock()
    clock.steady = datetime.now(UTC)
    own = default_tasks(rooms.jobs, rooms.blobs, rooms.guilds, 30, clock)
    for step in (timedelta(days=400), timedelta(days=-400)):
        clock.wall = datetime.now(UTC) + step
        assert [await run_task(chore) for chore in own] == [0, 0, 0, 0, 0]
    assert await rooms.kept(id)

    clock.steady += timedelta(days=30)

    assert await run_task(own[0]) == 1


def life_of(rooms, clock):
    """The task that ends jobs, in a life of the bot that begins with this clock."""
    return default_tasks(rooms.jobs, rooms.blobs, rooms.guilds, 90, clock)[0]


def clock_at(moment):
    clock = FakeClock()
    clock.wall = clock.steady = moment
    return clock


async def test_a_clock_far_ahead_at_the_start_ends_nothing_at_once(make_rooms, caplog):
    rooms, now = make_rooms(), datetime.now(UTC)
    id, _ = await rooms.ended(1)
    assert await run_task(life_of(rooms, clock_at(now))) == 0

    # In several lives, none of which lasts for a day.
    for _ in range(5):
        clock = clock_at(now + timedelta(days=91))
        task = life_of(rooms, clock)
        for _ in range(4):
            assert await run_task(task) == 0
            clock.pass_time(3600)
    assert "91 days after it was last believed" in caplog.text
    assert await rooms.kept(id)

    right = life_of(rooms, clock_at(now + timedelta(days=1)))
    assert [await run_task(right) for _ in range(3)] == [0, 0, 0]
    assert await rooms.kept(id)


async def test_a_bot_that_was_off_for_long_ends_what_is_due_after_a_day(make_rooms):
    rooms, now = make_rooms(), datetime.now(UTC)
    id, _ = await rooms.ended(1)
    assert await run_task(life_of(rooms, clock_at(now))) == 0
    clock = clock_at(now + timedelta(days=91))
    task = life_of(rooms, clock)

    ends = []
    for _ in range(30):
        ends.append(await run_task(task))
        clock.pass_time(3600)

    assert ends == [0] * 24 + [1] + [0] * 5
    assert not await rooms.kept(id)


async def test_a_clock_that_is_set_right_after_the_start_ends_nothing_either(make_rooms):
    rooms, now = make_rooms(), datetime.now(UTC)
    id, _ = await rooms.ended(1)
    await run_task(life_of(rooms, clock_at(now)))
    clock = clock_at(now + timedelta(days=91))
    task = life_of(rooms, clock)
    await run_task(task)
    clock.wall = now

    for _ in range(50):
        clock.pass_time(3600)
        assert await run_task(task) == 0

    assert await rooms.kept(id)


async def test_a_database_of_before_knows_its_last_time_by_its_jobs(make_rooms):
    rooms = make_rooms()
    id, _ = await rooms.ended(1)
    (path,) = MIGRATIONS_FOLDER.glob("*_retention.sql")
    (fill,) = [
        statement
        for statement in Migration.from_file(path).split_statements()
        if statement.startswith("INSERT INTO trusted_time")
    ]
    await rooms.database.execute(fill)

    assert await run_task(life_of(rooms, clock_at(datetime.now(UTC) + timedelta(days=91)))) == 0
    assert await rooms.kept(id)


async def test_what_was_cancelled_goes_after_a_day_with_its_pictures(make_rooms):
    rooms = make_rooms(30)
    keys = []
    for hours in (25, 23):
        rooms.clock.wall = datetime.now(UTC) - timedelta(hours=hours)
        keys.append(await rooms.blobs.put(b"%d" % hours))
        job, _ = await rooms.jobs.queue.enqueue(make_job(inputs={"image": keys[-1]}), ROOMY)
        await rooms.jobs.queue.cancel_job(job.id, "ada")
        rooms.age(keys[-1])

    assert (await run_task(rooms.end_jobs), await run_task(rooms.sweep)) == (1, 1)
    assert await rooms.blobs.list_keys() == {keys[1]}


async def test_a_picture_just_stored_is_spared_though_no_job_names_it_yet(make_rooms):
    rooms = make_rooms()
    key = await rooms.blobs.put(b"a picture of a job that is only now being asked")

    assert await run_task(rooms.sweep) == 0

    assert await rooms.blobs.exists(key)


async def test_a_token_goes_when_its_time_is_over(make_rooms):
    rooms = make_rooms()
    jobs = rooms.jobs
    rooms.clock.wall = datetime.now(UTC) - timedelta(minutes=16)
    old, _ = await jobs.queue.enqueue(make_job(reply_to=ADDRESS.to_json()), ROOMY)
    plain, _ = await jobs.queue.enqueue(make_job(reply_to="no address"), ROOMY)
    asked_again, _ = await jobs.queue.enqueue(make_job(reply_to=ADDRESS.to_json()), ROOMY)
    rooms.clock.wall = datetime.now(UTC) - timedelta(minutes=14)
    recent, _ = await jobs.queue.enqueue(make_job(reply_to=ADDRESS.to_json()), ROOMY)
    await jobs.deliveries.update_reply_to(asked_again.id, ADDRESS.to_json())

    assert await run_task(rooms.drop) == 1
    assert await run_task(rooms.drop) == 0

    for id, token in ((old.id, ""), (recent.id, ADDRESS.token), (asked_again.id, ADDRESS.token)):
        kept = ReplyTarget.from_json((await jobs.reader.get_job(id)).reply_to)
        assert token == kept.token
        assert ADDRESS.channel_id == kept.channel_id
    assert (await jobs.reader.get_job(plain.id)).reply_to == "no address"


async def test_a_chore_that_fails_is_told_and_done_again(caplog, monkeypatch):
    caplog.set_level("INFO")
    monkeypatch.setattr(retention, "FIRST_PAUSE", 0.0)
    times = []
    enough = asyncio.Event()

    async def work():
        times.append(1)
        if len(times) == 3:
            enough.set()
        if len(times) == 1:
            raise DiskFull
        return 1

    async with MaintenanceLoop((MaintenanceTask("try", 0.001, work),)):
        async with asyncio.timeout(PATIENCE):
            await enough.wait()

    assert "The chore “try” failed." in caplog.text
    assert "Housekeeping, try: 1 gone." in caplog.text
