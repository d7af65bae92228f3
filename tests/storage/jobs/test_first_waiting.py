"""The first of the line, and the claim of one job out of it."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.database import Database
from storage.jobs import JobStore
from storage.records import JobState
from tests.storage.factories import LEASE, ROOMY, make_job, quick_folder

SLACK = 4.0
asked = st.tuples(st.sampled_from("abcd"), st.integers(1, 6), st.integers(0, 1))


async def test_each_member_has_the_first_job_in_line_in_the_order_of_fairness(jobs, enqueue, claim):
    first = await enqueue(owner="ada", cost=2.0)
    await enqueue(owner="ada")
    second = await enqueue(owner="bob")
    urgent = await enqueue(owner="cy", priority=1)
    await claim()  # ada's first
    line = await jobs.queue.list_first_waiting(SLACK)
    assert [job.id for job in line[:2]] == [second.id, urgent.id]
    assert [job.owner for job in line] == ["bob", "cy", "ada"]
    assert first.id not in [job.id for job in line]
    assert [job.owner for job in await jobs.queue.list_first_waiting(1.0)] == ["bob", "cy"]


async def test_no_more_than_sixteen_members_are_listed(jobs, enqueue):
    for number in range(20):
        await enqueue(owner=f"member{number}")
    line = await jobs.queue.list_first_waiting(SLACK)
    assert [job.owner for job in line] == [f"member{number}" for number in range(16)]


async def test_jobs_that_are_passed_hold_nobody_up(jobs, enqueue, claim):
    stuck = await enqueue(owner="ada")
    await enqueue(owner="bob", cost=20.0)
    later = await enqueue(owner="bob")
    next_one = await enqueue(owner="ada")
    # bob is served 20 while ada's first cannot run: far beyond the slack.
    big = await jobs.queue.claim_job(
        (await jobs.queue.list_first_waiting(SLACK))[1].id, "gpu-0", LEASE
    )
    assert big is not None and big.owner == "bob"
    assert [job.id for job in await jobs.queue.list_first_waiting(SLACK)] == [stuck.id]
    line = await jobs.queue.list_first_waiting(SLACK, skipped_ids=[stuck.id])
    assert [job.id for job in line] == [next_one.id]
    line = await jobs.queue.list_first_waiting(SLACK, skipped_ids=[stuck.id, next_one.id])
    assert [job.id for job in line] == [later.id]
    assert (
        await jobs.queue.list_first_waiting(SLACK, skipped_ids=[stuck.id, next_one.id, later.id])
        == []
    )


async def test_a_job_is_claimed_once_by_whoever_asks_first(jobs, enqueue):
    job = await enqueue(owner="ada")
    claims = await asyncio.gather(
        *(jobs.queue.claim_job(job.id, f"gpu-{number}", LEASE) for number in range(4))
    )
    (claimed,) = [claim for claim in claims if claim is not None]
    assert (claimed.id, claimed.attempt, claimed.state) == (job.id, 1, JobState.RUNNING)
    assert await jobs.queue.claim_job("no such job", "gpu-0", LEASE) is None
    await jobs.queue.cancel_job(job.id, None)
    assert await jobs.queue.claim_job(job.id, "gpu-0", LEASE) is None


@settings(max_examples=30, deadline=None)
@given(st.lists(asked, min_size=1, max_size=20))
async def test_the_first_of_the_line_is_the_one_that_a_claim_takes(wanted):
    """Whatever was asked for: job after job, the fairest listed is the one claimed next."""
    with quick_folder() as folder:
        async with Database(folder / "easel.db") as database:
            queue = JobStore(database).queue
            for owner, cost, priority in wanted:
                await queue.enqueue(make_job(owner=owner, cost=cost, priority=priority), ROOMY)
            for _ in wanted:
                line = await queue.list_first_waiting(SLACK)
                claimed = await queue.claim("gpu-0", LEASE)
                assert claimed is not None
                assert claimed.id == line[0].id
            assert await queue.list_first_waiting(SLACK) == []


async def test_a_job_that_must_be_tried_apart_is_neither_listed_nor_claimed(jobs, enqueue, claim):
    lost = [await enqueue(owner="ada"), await enqueue(owner="bob")]
    for _ in lost:
        await claim()
    attempts = [(job.id, 1) for job in lost]
    await jobs.queue.release_lost("gpu-0", attempts, {"code": "worker.lost", "params": {}})
    other = await enqueue(owner="ada")

    assert [job.id for job in await jobs.queue.list_first_waiting(100.0)] == [other.id]
    assert await jobs.queue.claim_job(lost[0].id, "gpu-1", LEASE) is None
    turn = await jobs.queue.quarantine_turn()
    assert turn is not None and turn.group is not None
    assert {job.id for job in await jobs.queue.list_quarantined(turn.group)} <= {
        job.id for job in lost
    }
