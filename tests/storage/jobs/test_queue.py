from __future__ import annotations

import asyncio
import math
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.database import Database
from storage.errors import QueueFull
from storage.jobs import JobStore
from storage.records import DeliveryState, JobState, QueueLimits
from tests.storage.factories import IMAGE, LEASE, ROOMY, make_job, quick_folder


class Full(Exception):
    """A server's own bound."""


@settings(max_examples=20, deadline=None)
@given(
    most=st.integers(1, 4),
    forecasts=st.lists(st.sampled_from([None, 1.0, 30.0, 61.0]), min_size=2, max_size=8),
    quota=st.sampled_from([1.0, 60.0, 1e6]),
)
async def test_of_jobs_asked_for_at_once_none_slips_past_a_servers_bounds(most, forecasts, quota):
    """Every one was let in beside what had been let in before, and was told all of that."""
    loads = []

    def check_load(load):
        if load.owner_jobs >= most or load.expected_seconds >= quota:
            raise Full
        loads.append(load)

    with quick_folder() as folder:
        async with Database(folder / "easel.db") as database:
            jobs = JobStore(database)
            asked = [make_job(forecast_seconds=seconds) for seconds in forecasts]
            answers = await asyncio.gather(
                *(jobs.queue.enqueue(job, ROOMY, check_load) for job in asked),
                return_exceptions=True,
            )

    admitted = [answer[0].forecast_seconds for answer in answers if isinstance(answer, tuple)]
    assert [load.owner_jobs for load in loads] == list(range(len(admitted)))
    assert [load.expected_seconds for load in loads] == [
        math.inf if None in admitted[:n] else sum(admitted[:n]) for n in range(len(admitted))
    ]
    assert 1 <= len(admitted) <= most
    assert None not in admitted[:-1]
    assert sum(seconds or 0 for seconds in admitted[:-1]) < quota


async def test_an_enqueued_job_is_queued_and_keeps_what_it_was_asked_with(jobs, clock):
    parent, _ = await jobs.queue.enqueue(make_job(), ROOMY)

    asked = make_job(
        guild=None, cost=2.5, priority=3, weight=2.0, parent=parent.id, affinity="sdxl"
    )
    record, created = await jobs.queue.enqueue(asked, ROOMY)

    assert created
    assert await jobs.reader.get_job(record.id) == record
    for name in asked.__dataclass_fields__:
        assert getattr(asked, name) == getattr(record, name), name
    assert record.state == JobState.QUEUED
    assert record.delivery == DeliveryState.NONE
    assert (record.attempt, record.strikes, record.worker, record.started_at) == (0, 0, None, None)
    assert clock.now() == record.created_at


async def test_the_same_request_twice_is_the_same_job(jobs):
    first, _ = await jobs.queue.enqueue(make_job(idempotency_key="interaction"), ROOMY)

    again, created = await jobs.queue.enqueue(
        make_job(idempotency_key="interaction", cost=9), ROOMY
    )

    assert (first, False) == (again, created)
    assert (await jobs.reader.count_by_state())[JobState.QUEUED] == 1


async def test_the_same_request_twice_is_the_same_job_even_when_the_queue_is_full(jobs):
    limits = QueueLimits(per_owner=1, per_guild=1, total=1)
    first, _ = await jobs.queue.enqueue(make_job(idempotency_key="interaction"), limits)

    assert await jobs.queue.enqueue(make_job(idempotency_key="interaction"), limits) == (
        first,
        False,
    )


async def test_requests_at_once_with_one_key_make_one_job(jobs):
    answers = await asyncio.gather(
        *(jobs.queue.enqueue(make_job(idempotency_key="interaction"), ROOMY) for _ in range(8))
    )

    assert len({record.id for record, _ in answers}) == 1
    assert sum(created for _, created in answers) == 1


@pytest.mark.parametrize(
    ("scope", "limits", "words"),
    [
        ("owner", QueueLimits(per_owner=2, per_guild=9, total=9), "You already have 2 waiting"),
        ("guild", QueueLimits(per_owner=9, per_guild=2, total=9), "This server already has 2"),
        ("total", QueueLimits(per_owner=9, per_guild=9, total=2), "The queue already holds 2"),
    ],
)
async def test_a_full_queue_refuses_with_words(jobs, enqueue, scope, limits, words):
    await enqueue()
    await enqueue()

    with pytest.raises(QueueFull, match=words) as caught:
        await jobs.queue.enqueue(make_job(), limits)

    assert (scope, 2, 2) == (caught.value.scope, caught.value.limit, caught.value.queued)
    assert (await jobs.reader.count_by_state())[JobState.QUEUED] == 2


async def test_limits_count_each_owner_and_guild_alone_and_only_who_waits(jobs, enqueue, claim):
    limits = QueueLimits(per_owner=1, per_guild=2, total=9)
    await enqueue(owner="ada", guild="here")
    await jobs.queue.enqueue(make_job(owner="bob", guild="here"), limits)
    await jobs.queue.enqueue(make_job(owner="cyd", guild="there"), limits)
    running = await claim()

    await jobs.queue.enqueue(make_job(owner=running.owner, guild=running.guild), limits)

    assert (await jobs.reader.count_by_state())[JobState.QUEUED] == 3


async def test_direct_messages_have_no_guild_limit(jobs):
    limits = QueueLimits(per_owner=9, per_guild=0, total=9)

    record, created = await jobs.queue.enqueue(make_job(guild=None), limits)

    assert created
    assert record.guild is None


async def test_a_parent_that_is_gone_is_left_out(jobs, enqueue):
    record = await enqueue(parent="0" * 20)

    assert record.parent is None


async def test_ids_keep_the_order_of_arrival_when_the_wall_clock_is_set_back(enqueue, clock):
    first = await enqueue()
    clock.wall -= timedelta(days=400)
    second = await enqueue()
    clock.wall += timedelta(days=800)
    third = await enqueue()

    assert first.id < second.id < third.id


async def test_a_claim_gives_a_lease_an_attempt_and_a_worker(jobs, enqueue, clock):
    queued = await enqueue(cost=4.0)
    clock.pass_time(5)

    record = await jobs.queue.claim("gpu-0", LEASE)

    assert await jobs.reader.get_job(queued.id) == record
    assert record.state == JobState.RUNNING
    assert (
        record.attempt,
        record.worker,
        record.step,
        record.steps,
        record.charged,
    ) == (1, "gpu-0", 0, None, 4.0)
    assert clock.steady_time() + LEASE == record.lease_until
    assert clock.now() == record.started_at


async def test_an_empty_queue_gives_nothing(jobs, enqueue, claim):
    assert await jobs.queue.claim("gpu-0", LEASE) is None

    await enqueue()
    await claim()

    assert await jobs.queue.claim("gpu-0", LEASE) is None


async def test_a_lease_has_a_length(jobs):
    with pytest.raises(ValueError, match="longer than nothing"):
        await jobs.queue.claim("gpu-0", timedelta(0))


async def test_one_owners_jobs_go_by_priority_and_then_by_arrival(enqueue, claim):
    late = await enqueue(priority=-1)
    first = await enqueue()
    second = await enqueue()
    urgent = await enqueue(priority=5)

    order = [(await claim()).id for _ in range(4)]

    assert [urgent.id, first.id, second.id, late.id] == order


async def test_owners_take_turns_however_many_jobs_one_has(enqueue, claim):
    for _ in range(5):
        await enqueue(owner="ada")
    for _ in range(2):
        await enqueue(owner="bob")

    order = [(await claim()).owner for _ in range(7)]

    assert order == ["ada", "bob", "ada", "bob", "ada", "ada", "ada"]


async def test_turns_are_counted_in_cost_not_in_jobs(enqueue, claim):
    for _ in range(4):
        await enqueue(owner="ada", cost=1.0)
    await enqueue(owner="bob", cost=3.0)
    await enqueue(owner="bob", cost=3.0)

    order = [(await claim()).owner for _ in range(6)]

    assert order == ["ada", "bob", "ada", "ada", "ada", "bob"]


async def test_twice_the_weight_is_served_twice_as_much(enqueue, claim):
    for _ in range(8):
        await enqueue(owner="ada", weight=2.0)
        await enqueue(owner="bob", weight=1.0)

    order = [(await claim()).owner for _ in range(6)]

    assert (order.count("ada"), order.count("bob")) == (4, 2)


async def test_who_returns_starts_at_the_smallest_virtual_time(enqueue, claim):
    for _ in range(20):
        await enqueue(owner="ada")
    for _ in range(10):
        await claim()

    for _ in range(5):
        await enqueue(owner="bob")
    order = [(await claim()).owner for _ in range(6)]

    assert (order.count("ada"), order.count("bob")) == (3, 3)


async def test_who_comes_to_an_empty_queue_starts_where_it_stands(enqueue, claim):
    for _ in range(10):
        await enqueue(owner="ada")
        await claim()

    for _ in range(4):
        await enqueue(owner="bob")
    for _ in range(4):
        await enqueue(owner="ada")
    order = [(await claim()).owner for _ in range(8)]

    assert order[0] == "bob"
    assert set(order[:3]) == {"ada", "bob"}


async def test_an_owner_whose_job_came_back_late_is_lifted_too(jobs, enqueue, claim):
    await enqueue(owner="ada")
    lost = await claim()
    for _ in range(20):
        await enqueue(owner="bob")
    for _ in range(10):
        await claim()

    await jobs.queue.release_job(lost.id, lost.attempt, "gpu-0", "the worker died")
    for _ in range(5):
        await enqueue(owner="ada")
    order = [(await claim()).owner for _ in range(6)]

    assert (order.count("ada"), order.count("bob")) == (3, 3)


async def test_a_worker_may_keep_its_model_within_the_slack_and_no_further(enqueue, claim):
    for _ in range(10):
        await enqueue(owner="ada", affinity="sdxl")
        await enqueue(owner="bob", affinity="sd15")

    order = [(await claim(affinity="sd15", slack=2.0)).owner for _ in range(7)]

    assert order == ["bob", "bob", "bob", "ada", "bob", "ada", "bob"]


async def test_a_worker_takes_any_model_when_none_fits(enqueue, claim):
    await enqueue(owner="ada", affinity="sdxl")
    await enqueue(owner="bob")

    order = [(await claim(affinity="sd15", slack=2.0)).owner for _ in range(2)]

    assert order == ["ada", "bob"]


async def test_keeping_the_model_never_changes_one_owners_order(enqueue, claim):
    first = await enqueue(affinity="sdxl")
    second = await enqueue(affinity="sd15")

    order = [(await claim(affinity="sd15", slack=9.0)).id for _ in range(2)]

    assert [first.id, second.id] == order


async def test_without_slack_the_model_does_not_count(enqueue, claim):
    await enqueue(owner="ada", affinity="sdxl")
    await enqueue(owner="bob", affinity="sd15")

    assert (await claim(affinity="sd15")).owner == "ada"


@pytest.mark.parametrize("moment", range(6))
async def test_a_claim_cancelled_on_its_way_gives_the_job_back(jobs, enqueue, claim, moment):
    for _ in range(3):
        await enqueue()
    held = await claim()

    claiming = asyncio.create_task(jobs.queue.claim("gpu-0", LEASE))
    for _ in range(moment):
        await asyncio.sleep(0)
    claiming.cancel()
    try:
        taken = [await claiming]
    except asyncio.CancelledError:
        taken = []

    running = [job for job in await jobs.reader.list_outstanding() if job.state is JobState.RUNNING]
    assert {job.id for job in (held, *taken)} == {job.id for job in running}
    assert [job.strikes for job in await jobs.reader.list_outstanding()][1:] == [0, 0]


async def test_two_claims_of_one_moment_are_told_apart(jobs, enqueue, claim):
    await enqueue()
    await enqueue()

    one, other = await claim(), await claim()

    assert one.started_at == other.started_at
    assert one.lease_until != other.lease_until


async def test_a_claim_cancelled_over_an_empty_queue_is_only_cancelled(jobs):
    claiming = asyncio.create_task(jobs.queue.claim("gpu-0", LEASE))
    await asyncio.sleep(0)
    claiming.cancel()

    with pytest.raises(asyncio.CancelledError):
        await claiming


async def test_two_workers_never_get_the_same_job(jobs, enqueue):
    for _ in range(20):
        await enqueue()

    records = await asyncio.gather(*(jobs.queue.claim(f"gpu-{n % 4}", LEASE) for n in range(25)))

    taken = [record.id for record in records if record is not None]
    assert (len(taken), len(set(taken))) == (20, 20)


async def test_inputs_and_params_come_back_as_they_were(enqueue):
    params = {"prompt": "füchse 🦊 '; DROP TABLE job", "seed": 2**53, "nested": [{"a": None}]}

    record = await enqueue(params=params, inputs={"image": IMAGE, "mask": IMAGE})

    assert params == record.params
    assert record.inputs == {"image": IMAGE, "mask": IMAGE}


async def test_several_claims_with_one_commit_are_the_claims_one_by_one(jobs, enqueue):
    members = (("a", 5), ("b", 1), ("c", 2), ("a", 1), ("b", 1))
    asked = [(await enqueue(owner=owner, cost=cost)).id for owner, cost in members]

    claimed = await jobs.queue.claim_several("gpu-0", LEASE, 4)

    assert [job.id for job in claimed] == [asked[0], asked[1], asked[2], asked[4]]
    assert all((j.attempt, j.worker, j.state) == (1, "gpu-0", JobState.RUNNING) for j in claimed)
    (last,) = await jobs.queue.claim_several("gpu-1", LEASE, 4)
    assert asked[3] == last.id
    assert await jobs.queue.claim_several("gpu-1", LEASE, 4) == []


async def test_claims_at_once_give_no_job_twice(jobs, enqueue):
    for number in range(40):
        await enqueue(owner="abcd"[number % 4])

    rounds = [jobs.queue.claim_several(f"gpu-{number}", LEASE, 3) for number in range(20)]
    claimed = [job.id for batch in await asyncio.gather(*rounds) for job in batch]

    assert 40 == len(claimed) == len(set(claimed))


async def test_several_claims_cancelled_give_all_jobs_back(jobs, enqueue):
    for _ in range(3):
        await enqueue()
    claiming = asyncio.create_task(jobs.queue.claim_several("gpu-0", LEASE, 3))
    await asyncio.sleep(0)
    claiming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await claiming

    assert (await jobs.reader.count_by_state())[JobState.QUEUED] == 3
