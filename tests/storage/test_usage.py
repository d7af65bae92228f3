from __future__ import annotations

from datetime import timedelta

import pytest

from storage.guilds import UsageStore
from tests.storage.factories import LEASE


@pytest.fixture
def usage(database):
    return UsageStore(database)


@pytest.fixture
def done(jobs, enqueue, claim):
    async def run(charged, **changes):
        await enqueue(**changes)
        job = await claim()
        assert await jobs.queue.finish_job(job.id, job.attempt, job.worker, {"charged": charged})
        return job

    return run


async def test_a_done_job_is_counted_once_and_for_its_own_member(usage, done, clock):
    await done(2.5)
    clock.pass_time(60)
    await done(1)
    await done(9.0, owner="bob")
    await done(9.0, guild="another")
    await done(9.0, guild=None)
    start = clock.now() - timedelta(hours=1)

    assert [use.seconds for use in await usage.usage_since(start, "guild", "ada")] == [2.5, 1.0]
    assert [
        u.seconds
        for u in await usage.usage_since(clock.now() - timedelta(seconds=1), "guild", "ada")
    ] == [1.0]


async def test_a_job_that_was_called_off_is_counted_as_far_as_it_ran(
    usage, jobs, enqueue, claim, clock
):
    await enqueue()
    job = await claim()
    await jobs.queue.renew_lease(job.id, 1, job.worker, LEASE, 4, 20, spent_seconds=3.5)
    await jobs.queue.cancel_job(job.id, None)

    (use,) = await usage.usage_since(clock.now() - timedelta(hours=1), "guild", "ada")
    assert use.seconds == 3.5


async def test_an_attempt_that_was_lost_is_not_counted(usage, jobs, enqueue, claim, clock):
    await enqueue()
    job = await claim()
    await jobs.queue.renew_lease(job.id, 1, job.worker, LEASE, 4, 20, spent_seconds=3.5)
    await jobs.queue.release_job(job.id, 1, job.worker, "its worker died")
    await claim()
    await jobs.queue.cancel_job(job.id, None)

    assert await usage.usage_since(clock.now() - timedelta(hours=1), "guild", "ada") == []


async def test_what_failed_is_not_counted(usage, jobs, enqueue, claim, clock):
    for end in ("fail_job", "release_job"):
        await enqueue()
        job = await claim()
        await getattr(jobs.queue, end)(job.id, job.attempt, job.worker, "broken")
    await jobs.queue.cancel_job((await claim()).id, None)

    assert await usage.usage_since(clock.now() - timedelta(hours=1), "guild", "ada") == []


async def test_a_result_without_a_measure_counts_nothing(usage, jobs, enqueue, claim, clock):
    await enqueue()
    job = await claim()
    await jobs.queue.finish_job(job.id, job.attempt, job.worker, {})

    (use,) = await usage.usage_since(clock.now() - timedelta(hours=1), "guild", "ada")
    assert use.seconds == 0.0


async def test_who_deletes_their_jobs_has_still_used_the_gpu(usage, jobs, done, clock):
    await done(5.0)
    await jobs.retention.forget_owner("ada")

    assert len(await usage.usage_since(clock.now() - timedelta(hours=1), "guild", "ada")) == 1


async def test_no_more_than_a_day_is_kept(usage, done, clock, database):
    await done(5.0)
    clock.pass_time(24 * 3600 + 1)
    await done(6.0, owner="bob")

    assert await database.fetch_value("SELECT count(*) FROM gpu_use") == 1
