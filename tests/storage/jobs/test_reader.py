from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.database import Database
from storage.errors import UnknownJob
from storage.jobs import JobStore
from storage.records import JobState, QueuePlace, QueueWait
from tests.storage.factories import LEASE, ROOMY, make_job, quick_folder


async def test_an_unknown_job_is_said_to_be_unknown(jobs):
    with pytest.raises(UnknownJob, match="no job “nothing”"):
        await jobs.reader.get_job("nothing")


async def test_an_owners_jobs_are_listed_newest_first_by_pages(jobs, enqueue):
    asked = [(await enqueue(owner="ada")).id for _ in range(5)]
    await enqueue(owner="bob")

    first = [job.id for job in await jobs.reader.list_by_owner("ada", limit=3)]
    second = [
        job.id for job in await jobs.reader.list_by_owner("ada", limit=3, before_id=first[-1])
    ]

    assert asked[::-1] == first + second


async def test_an_owners_jobs_are_listed_by_state(jobs, enqueue, claim):
    await enqueue()
    waiting = await enqueue()
    running = await claim()
    await jobs.queue.cancel_job((await enqueue()).id, "ada")

    listed = await jobs.reader.list_by_owner("ada", states=[JobState.QUEUED, JobState.RUNNING])

    assert [job.id for job in listed] == [waiting.id, running.id]
    assert await jobs.reader.list_by_owner("ada", states=[]) == []


async def test_jobs_that_made_pictures_are_listed_newest_first(jobs, enqueue, claim):
    done = []
    for pictures in ([{"key": "ab" * 32}], [], [{"key": "cd" * 32}, {"key": "ef" * 32}]):
        await enqueue(owner="ada")
        running = await claim()
        done.append(running.id)
        await jobs.queue.finish_job(
            running.id, running.attempt, running.worker, {"pictures": pictures}
        )
    await enqueue(owner="ada")

    listed = await jobs.reader.list_pictured("ada", offset=0, limit=9)
    second = await jobs.reader.list_pictured("ada", offset=1, limit=1)

    assert [job.id for job in listed] == [done[2], done[0]]
    assert [job.id for job in second] == [done[0]]
    assert await jobs.reader.count_pictured("ada") == 2
    assert await jobs.reader.count_pictured("ada", ["img2img"]) == 0
    assert await jobs.reader.count_pictured("bob") == 0


async def test_a_family_is_what_came_of_the_same_job(jobs, enqueue):
    root = await enqueue(owner="ada")
    child = await enqueue(owner="ada", parent=root.id)
    sibling = await enqueue(owner="ada", parent=root.id)
    grandchild = await enqueue(owner="ada", parent=child.id)
    await enqueue(owner="bob", parent=child.id)
    await enqueue(owner="ada")

    expected = [job.id for job in (root, child, sibling, grandchild)]

    for member in (root, child, sibling, grandchild):
        assert [job.id for job in await jobs.reader.list_lineage(member.id, "ada")] == expected
    assert await jobs.reader.list_lineage(root.id, "bob") == []
    assert await jobs.reader.list_lineage("nothing", "ada") == []


async def test_outstanding_are_the_queued_and_the_running_in_order(jobs, enqueue, claim):
    asked = [(await enqueue()).id for _ in range(4)]
    done = await claim()
    await jobs.queue.finish_job(done.id, 1, "gpu-0", {})
    await claim()

    assert [job.id for job in await jobs.reader.list_outstanding()] == asked[1:]


async def test_every_state_is_counted(jobs, enqueue, claim):
    for _ in range(6):
        await enqueue()
    done, failed, _ = [await claim() for _ in range(3)]
    await jobs.queue.finish_job(done.id, 1, "gpu-0", {})
    await jobs.queue.fail_job(failed.id, 1, "gpu-0", "no")
    await jobs.queue.cancel_job((await jobs.reader.list_outstanding())[-1].id, None)

    assert await jobs.reader.count_by_state() == {
        JobState.QUEUED: 2,
        JobState.RUNNING: 1,
        JobState.DONE: 1,
        JobState.FAILED: 1,
        JobState.CANCELLED: 1,
    }


async def test_a_place_says_what_is_ahead(jobs, enqueue, claim):
    await enqueue(owner="ada", cost=4.0)
    running = await claim()
    await jobs.queue.renew_lease(running.id, 1, "gpu-0", LEASE, step=5, steps=20)
    for cost in (1.0, 2.0):
        await enqueue(owner="bob", cost=cost)
    mine = await enqueue(owner="bob", cost=9.0)

    assert await jobs.reader.queue_position(mine.id) == QueuePlace(
        position=3, ahead_cost=3.0, running_cost=3.0, queued=3, running=1, own_jobs_ahead=2
    )


async def test_a_place_adds_up_forecasts_and_the_cost_of_jobs_without_one(jobs, enqueue, claim):
    await enqueue(owner="ada", cost=4.0, forecast_seconds=8.0)
    running = await claim()
    await jobs.queue.renew_lease(running.id, 1, "gpu-0", LEASE, step=5, steps=20)
    for seconds in (30.0, None, 10.0):
        await enqueue(owner="bob", cost=2.0, forecast_seconds=seconds)
    mine = await enqueue(owner="bob", cost=9.0, forecast_seconds=99.0)

    assert await jobs.reader.queue_position(mine.id) == QueuePlace(
        position=4,
        ahead_cost=2.0,
        ahead_seconds=40.0,
        running_cost=0.0,
        running_seconds=6.0,
        queued=4,
        running=1,
        own_jobs_ahead=3,
    )


async def test_a_long_job_that_runs_holds_a_short_one_up_by_what_that_takes(jobs, enqueue, claim):
    await enqueue(owner="ada", forecast_seconds=100.0)
    running = await claim()
    short, late = [await enqueue(owner="bob", forecast_seconds=one) for one in (2.0, 5.0)]

    places = [await jobs.reader.queue_position(job.id) for job in (running, short, late)]

    assert [place.running_seconds for place in places] == [100.0, 2.0, 7.0]


async def test_waiting_jobs_that_were_thought_wrong_are_put_right(jobs, enqueue):
    await enqueue(owner="ada", cost=8.0, affinity="sd15")
    await enqueue(owner="ada", cost=8.0, affinity="sdxl")
    mine = await enqueue(owner="ada", cost=8.0, affinity="sd15")
    other = await enqueue(owner="bob", cost=4.0, affinity="sd15", kind="upscale")

    await jobs.queue.reprice_waiting(["img2img"], "sd15", 0.25)

    assert [job.cost for job in await jobs.reader.list_outstanding()] == [2.0, 8.0, 2.0, 4.0]
    assert (
        (place := await jobs.reader.queue_position(mine.id)).position,
        place.ahead_cost,
    ) == (4, 14.0)
    assert (await jobs.reader.queue_position(other.id)).position == 2


async def test_the_last_jobs_that_were_done_are_told_newest_first(jobs, enqueue, claim, clock):
    for end in ("done", "done", "failed", "done"):
        await enqueue()
        job = await claim()
        clock.pass_time(1)
        if end == "done":
            await jobs.queue.finish_job(job.id, 1, "gpu-0", {"text": "x"})
        else:
            await jobs.queue.fail_job(job.id, 1, "gpu-0", "no")

    found = await jobs.reader.recently_finished(2)

    assert len(found) == 2
    assert found[0].finished_at > found[1].finished_at
    assert {job.state for job in found} == {JobState.DONE}


async def test_who_waits_first_is_the_one_that_is_claimed_next(jobs, enqueue, claim):
    assert await jobs.reader.first_waiting() is None
    await enqueue(owner="ada", cost=5.0)
    await claim()
    second = await enqueue(owner="ada")
    other = await enqueue(owner="bob")

    assert tuple([await jobs.reader.first_waiting(one) for one in ("ada", "bob")]) == (
        second.id,
        other.id,
    )
    for _ in range(2):
        first = await jobs.reader.first_waiting()
        assert (await claim()).id == first


async def test_who_does_not_wait_has_no_place(jobs, enqueue, claim):
    await enqueue()
    await enqueue(owner="bob")
    running = await claim()

    assert await jobs.reader.queue_position(running.id) == QueuePlace(
        position=0, ahead_cost=0.0, running_cost=1.0, queued=1, running=1
    )
    assert (await jobs.reader.queue_position("nothing")).position == 0


@settings(max_examples=60, deadline=None)
@given(
    asked=st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.integers(0, 5),
            st.integers(-1, 1),
            st.sampled_from([0.5, 1.0, 2.0]),
        ),
        min_size=1,
        max_size=12,
    ),
    served=st.integers(0, 4),
    back=st.sets(st.integers(0, 3)),
    gone=st.sets(st.integers(0, 11)),
)
async def test_a_place_is_the_order_in_which_jobs_are_then_claimed(asked, served, back, gone):
    """Whatever came back from a worker or was called off before."""
    with quick_folder() as folder:
        async with Database(folder / "easel.db") as database:
            jobs = JobStore(database)
            for owner, cost, priority, weight in asked:
                job = make_job(owner=owner, cost=cost, priority=priority, weight=weight)
                await jobs.queue.enqueue(job, ROOMY)
            claimed = [await jobs.queue.claim("gpu-0", LEASE) for _ in range(served)]
            for number, job in enumerate(claimed):
                if job is not None and number in back:
                    await jobs.queue.release_job(job.id, 1, "gpu-0", "its worker died")
            for number, job in enumerate(await jobs.reader.list_outstanding()):
                if number in gone and job.state is JobState.QUEUED:
                    await jobs.queue.cancel_job(job.id, None)
            waiting = [
                job for job in await jobs.reader.list_outstanding() if job.state is JobState.QUEUED
            ]
            places = {job.id: await jobs.reader.queue_position(job.id) for job in waiting}
            ahead = 0.0
            for position in range(1, len(waiting) + 1):
                job = await jobs.queue.claim("gpu-0", LEASE)
                assert (position, ahead) == (places[job.id].position, places[job.id].ahead_cost)
                ahead += job.cost


async def test_the_queues_wait_is_that_of_its_oldest_job(jobs, enqueue, claim, clock):
    assert await jobs.reader.queue_wait() == QueueWait(jobs=0, longest=timedelta(0))
    await enqueue()
    clock.pass_time(5)
    await enqueue()
    clock.pass_time(2)
    assert await jobs.reader.queue_wait() == QueueWait(jobs=2, longest=timedelta(seconds=7))

    await claim()

    assert await jobs.reader.queue_wait() == QueueWait(jobs=1, longest=timedelta(seconds=2))


async def test_the_queues_work_is_what_was_foretold_of_the_jobs_that_wait(jobs, enqueue, claim):
    for seconds in (2.5, None, 4.0):
        await enqueue(forecast_seconds=seconds)
    assert (await jobs.reader.queue_wait()).work_seconds == 6.5

    await claim()

    assert (await jobs.reader.queue_wait()).work_seconds == 4.0
