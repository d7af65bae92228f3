from __future__ import annotations

import itertools

import pytest

from storage.database import Database
from storage.errors import ConstraintBroken
from storage.jobs import JobStore
from storage.records import DeliveryState

ENDED = [
    DeliveryState.PENDING,
    DeliveryState.SENDING,
    DeliveryState.SENT,
    DeliveryState.UNDELIVERED,
]


@pytest.fixture
def finished(jobs, enqueue, claim):
    async def end(state=DeliveryState.PENDING, **changes):
        await enqueue(**changes)
        job = await claim()
        await jobs.queue.finish_job(job.id, job.attempt, "gpu-0", {})
        if state in (DeliveryState.SENDING, DeliveryState.SENT):
            assert await jobs.deliveries.begin_delivery(job.id, "edit")
        if state is DeliveryState.SENT:
            assert await jobs.deliveries.mark_delivered(job.id, "message-1")
        if state is DeliveryState.UNDELIVERED:
            assert await jobs.deliveries.mark_undeliverable(job.id, "no permission")
        return await jobs.reader.get_job(job.id)

    return end


async def test_a_delivery_goes_from_pending_by_sending_to_sent(jobs, finished, clock):
    job = await finished()
    assert await jobs.deliveries.pending_deliveries() == [job]
    clock.pass_time(1)

    assert await jobs.deliveries.begin_delivery(job.id, "edit")
    sending = await jobs.reader.get_job(job.id)
    assert await jobs.deliveries.interrupted_deliveries() == [sending]
    assert (DeliveryState.SENDING, 1, "edit", clock.now()) == (
        sending.delivery,
        sending.deliveries,
        sending.delivery_route,
        sending.delivery_at,
    )

    assert await jobs.deliveries.mark_delivered(job.id, "message-1")
    sent = await jobs.reader.get_job(job.id)
    assert (sent.delivery, sent.message) == (DeliveryState.SENT, "message-1")
    assert await jobs.deliveries.pending_deliveries() == []
    assert await jobs.deliveries.interrupted_deliveries() == []


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        (lambda jobs, id: jobs.deliveries.begin_delivery(id), {"pending"}),
        (lambda jobs, id: jobs.deliveries.mark_delivered(id, "message-2"), {"sending"}),
        (lambda jobs, id: jobs.deliveries.mark_undeliverable(id, "gone"), {"pending", "sending"}),
        (
            lambda jobs, id: jobs.deliveries.requeue_delivery(id, "later"),
            {"sending", "undelivered"},
        ),
    ],
)
@pytest.mark.parametrize("state", ENDED)
async def test_each_step_is_taken_only_from_where_it_leads_on(
    jobs, finished, action, allowed, state
):
    job = await finished(state)

    done = await action(jobs, job.id)

    assert (state in allowed) == done
    assert done or await jobs.reader.get_job(job.id) == job


async def test_nothing_is_delivered_before_a_job_has_ended(jobs, enqueue, claim):
    queued = await enqueue()

    for _ in range(2):
        assert not await jobs.deliveries.begin_delivery(queued.id)
        assert not await jobs.deliveries.mark_undeliverable(queued.id, "gone")
        assert not await jobs.deliveries.requeue_delivery(queued.id)
        await claim() if await jobs.reader.list_outstanding() == [queued] else None


async def test_of_two_who_begin_at_once_one_does(jobs, finished):
    job = await finished()

    assert [await jobs.deliveries.begin_delivery(job.id) for _ in range(2)] == [True, False]


async def test_what_cannot_be_delivered_waits_in_its_owners_outbox(jobs, finished):
    job = await finished(DeliveryState.UNDELIVERED, owner="ada")
    await finished(DeliveryState.UNDELIVERED, owner="bob")

    assert await jobs.deliveries.list_undelivered("ada") == [job]
    assert job.delivery_note == "no permission"

    assert await jobs.deliveries.requeue_delivery(job.id, "asked for again")
    assert await jobs.deliveries.list_undelivered("ada") == []
    assert [each.id for each in await jobs.deliveries.pending_deliveries()] == [job.id]


async def test_a_failed_delivery_never_changes_what_the_job_came_to(jobs, finished):
    job = await finished(DeliveryState.UNDELIVERED)

    assert (job.state, job.result, job.error) == ("done", {}, None)


async def test_each_try_is_counted_and_a_success_clears_the_note(jobs, finished):
    job = await finished()
    for route in ("edit", "channel"):
        await jobs.deliveries.begin_delivery(job.id, route)
        await jobs.deliveries.requeue_delivery(job.id, "rate limited")
    await jobs.deliveries.begin_delivery(job.id, "dm")
    await jobs.deliveries.mark_delivered(job.id, "message-1")

    record = await jobs.reader.get_job(job.id)
    assert (record.deliveries, record.delivery_route, record.delivery_note) == (3, "dm", None)


async def test_the_longest_waiting_are_delivered_first(jobs, finished, clock):
    asked = []
    for _ in range(4):
        asked.append((await finished()).id)
        clock.pass_time(1)

    assert [each.id for each in await jobs.deliveries.pending_deliveries(limit=3)] == asked[:3]


@pytest.mark.parametrize("state", ENDED)
async def test_a_delivery_survives_a_restart_in_any_state(database, finished, state):
    job = await finished(state)
    await database.__aexit__(None, None, None)

    async with Database(database.path) as reopened:
        assert await JobStore(reopened).reader.get_job(job.id) == job


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (old, new)
        for old, new in itertools.permutations(ENDED, 2)
        if (old, new)
        not in {
            ("pending", "sending"),
            ("pending", "undelivered"),
            ("sending", "pending"),
            ("sending", "sent"),
            ("sending", "undelivered"),
            ("undelivered", "pending"),
        }
    ],
)
async def test_the_schema_itself_refuses_every_other_change(finished, database, old, new):
    job = await finished(old)

    with pytest.raises(ConstraintBroken, match="no such change of a delivery"):
        await database.execute("UPDATE job SET delivery = ? WHERE id = ?", (str(new), job.id))


async def test_the_address_can_be_replaced(jobs, finished):
    job = await finished(reply_to="token")

    assert await jobs.deliveries.update_reply_to(job.id, "no token any more")
    assert not await jobs.deliveries.update_reply_to("nothing", "anywhere")
    assert (await jobs.reader.get_job(job.id)).reply_to == "no token any more"
