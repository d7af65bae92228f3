from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from inference.api.notices import read_notice
from storage.database import Transaction
from storage.errors import ConstraintBroken, UnknownJob
from storage.jobs import JobStore
from storage.records import DeliveryState, JobState, LeaseRenewal
from tests.storage.factories import LEASE

RESULT = {"pictures": ["ab" * 32], "seed": 7}


async def vtime(database, owner="ada"):
    return await database.fetch_value("SELECT vtime FROM member WHERE owner = ?", (owner,))


async def test_progress_renews_the_lease_and_is_kept(jobs, enqueue, claim, clock):
    await enqueue()
    job = await claim()
    clock.pass_time(50)

    assert await jobs.queue.renew_lease(job.id, 1, "gpu-0", LEASE, step=3, steps=20)

    record = await jobs.reader.get_job(job.id)
    assert (clock.steady_time() + LEASE, 3, 20) == (record.lease_until, record.step, record.steps)


async def test_a_renewal_without_progress_leaves_the_progress(jobs, enqueue, claim):
    await enqueue()
    job = await claim()
    await jobs.queue.renew_lease(job.id, 1, "gpu-0", LEASE, step=3, steps=20)

    assert await jobs.queue.renew_lease(job.id, 1, "gpu-0", timedelta(seconds=5))

    record = await jobs.reader.get_job(job.id)
    assert (record.step, record.steps) == (3, 20)


async def test_finishing_records_the_result_and_makes_the_delivery_pending(
    jobs, enqueue, claim, clock
):
    await enqueue()
    job = await claim()
    clock.pass_time(8)

    assert await jobs.queue.finish_job(job.id, 1, "gpu-0", RESULT)

    record = await jobs.reader.get_job(job.id)
    assert (record.state, record.result, record.error) == (JobState.DONE, RESULT, None)
    assert (DeliveryState.PENDING, clock.now()) == (record.delivery, record.finished_at)
    assert (record.worker, record.lease_until) == ("gpu-0", None)


async def test_the_measured_cost_replaces_the_estimate(jobs, enqueue, claim, database):
    await enqueue(cost=10.0, weight=2.0)
    job = await claim()
    assert await vtime(database) == 5.0

    await jobs.queue.finish_job(job.id, 1, "gpu-0", RESULT, cost=4.0)

    assert (await jobs.reader.get_job(job.id)).charged == 4.0
    assert await vtime(database) == 2.0


async def test_a_whole_cost_is_shared_by_a_whole_weight_without_rounding(enqueue, claim, database):
    await enqueue(cost=1.0, weight=2.0)
    await claim()

    assert await vtime(database) == 0.5


@pytest.mark.parametrize("cost", [-1.0, float("inf")])
async def test_an_impossible_cost_is_refused_and_changes_nothing(jobs, enqueue, claim, cost):
    await enqueue()
    job = await claim()

    with pytest.raises(ConstraintBroken):
        await jobs.queue.finish_job(job.id, 1, "gpu-0", RESULT, cost=cost)

    assert (await jobs.reader.get_job(job.id)).state == JobState.RUNNING


async def test_failing_records_the_words_and_makes_the_delivery_pending(
    jobs, enqueue, claim, clock
):
    await enqueue()
    job = await claim()

    assert await jobs.queue.fail_job(job.id, 1, "gpu-0", "The picture is too large.")

    record = await jobs.reader.get_job(job.id)
    assert (record.state, record.error) == (JobState.FAILED, "The picture is too large.")
    assert (DeliveryState.PENDING, clock.now()) == (record.delivery, record.finished_at)


@pytest.mark.parametrize(
    ("progress", "charged"), [((5, 20), 2.5), ((0, 20), 0.0), ((30, 20), 10.0), (None, 0.0)]
)
async def test_an_attempt_called_off_is_charged_for_the_steps_it_ran(
    jobs, enqueue, claim, database, progress, charged
):
    for end in (
        lambda job: jobs.queue.fail_job(job.id, 1, "gpu-0", "no"),
        lambda job: jobs.queue.cancel_job(job.id, "ada"),
    ):
        before = await vtime(database) or 0.0
        await enqueue(cost=10.0)
        job = await claim()
        if progress is not None:
            await jobs.queue.renew_lease(job.id, 1, "gpu-0", LEASE, *progress)
        await end(job)

        assert (await jobs.reader.get_job(job.id)).charged == charged
        assert await vtime(database) - before == charged


async def test_an_attempt_called_off_is_charged_what_was_measured_of_it_alone(jobs, enqueue, claim):
    await enqueue(cost=10.0)
    job = await claim()
    await jobs.queue.renew_lease(job.id, 1, "gpu-0", LEASE, 5, 20, 7.0)
    await jobs.queue.release_job(job.id, 1, "gpu-0", "its worker died")
    again = await claim()
    await jobs.queue.renew_lease(job.id, again.attempt, "gpu-0", LEASE, 5, 20)
    await jobs.queue.cancel_job(job.id, "ada")
    assert (await jobs.reader.get_job(job.id)).charged == 2.5

    await enqueue(cost=10.0)
    other = await claim()
    await jobs.queue.renew_lease(other.id, 1, "gpu-0", LEASE, 5, 20, 7.0)
    await jobs.queue.renew_lease(other.id, 1, "gpu-0", LEASE)
    await jobs.queue.fail_job(other.id, 1, "gpu-0", "no")
    assert (await jobs.reader.get_job(other.id)).charged == 7.0


async def test_a_stopped_job_is_charged_what_was_measured(jobs, enqueue, claim):
    await enqueue(cost=10.0)
    job = await claim()
    await jobs.queue.renew_lease(job.id, 1, "gpu-0", LEASE, 6, 20, 4.0)
    await jobs.queue.stop_job(job.id, "ada")

    await jobs.queue.finish_job(job.id, 1, "gpu-0", RESULT, cost=4.5)

    assert (await jobs.reader.get_job(job.id)).charged == 4.5


async def test_a_released_job_goes_back_to_its_place_and_its_charge_is_returned(
    jobs, enqueue, claim, database
):
    first = await enqueue()
    second = await enqueue()
    job = await claim()

    record = await jobs.queue.release_job(job.id, 1, "gpu-0", "its worker died")

    assert await jobs.reader.get_job(first.id) == record
    assert (
        record.state,
        record.worker,
        record.lease_until,
        record.attempt,
        record.strikes,
    ) == (JobState.QUEUED, None, None, 1, 1)
    assert await vtime(database) == 0.0
    assert [(await claim()).id for _ in range(2)] == [first.id, second.id]


async def test_the_third_lost_attempt_fails_the_job_with_words(jobs, enqueue, claim):
    await enqueue()
    for attempt in (1, 2):
        job = await claim()
        record = await jobs.queue.release_job(job.id, attempt, "gpu-0", "its worker died")
        assert record.state == JobState.QUEUED

    job = await claim()
    record = await jobs.queue.release_job(job.id, 3, "gpu-0", "its worker died")

    assert (record.state, record.attempt, record.strikes) == (JobState.FAILED, 3, 3)
    assert str(read_notice(record.error)) == "Given up after 3 attempts: its worker died."
    assert record.delivery == DeliveryState.PENDING


async def test_how_many_attempts_there_are_is_a_choice(database, enqueue, clock):
    jobs = JobStore(database, clock, max_attempts=1)
    await enqueue()
    job = await jobs.queue.claim("gpu-0", LEASE)

    record = await jobs.queue.release_job(job.id, 1, "gpu-0", "its worker died")

    assert (
        record.state,
        str(read_notice(record.error)),
    ) == (JobState.FAILED, "Given up after 1 attempt: its worker died.")


async def test_handing_back_at_a_shutdown_is_no_lost_attempt(jobs, enqueue, claim):
    await enqueue()
    for attempt in range(1, 6):
        job = await claim()
        record = await jobs.queue.release_job(
            job.id, attempt, "gpu-0", "Easel is stopping", count_attempt=False
        )
        assert (JobState.QUEUED, attempt, 0) == (record.state, record.attempt, record.strikes)


async def test_a_new_attempt_begins_its_progress_anew(jobs, enqueue, claim):
    await enqueue()
    job = await claim()
    await jobs.queue.renew_lease(job.id, 1, "gpu-0", LEASE, step=9, steps=20)
    await jobs.queue.release_job(job.id, 1, "gpu-0", "its worker died")

    again = await claim()

    assert (again.attempt, again.step, again.steps) == (2, 0, None)


@pytest.mark.parametrize(("attempt", "worker"), [(1, "gpu-0"), (2, "gpu-0"), (1, "gpu-1")])
async def test_a_worker_come_back_from_the_dead_is_refused_and_logged(
    jobs, enqueue, claim, caplog, attempt, worker
):
    await enqueue()
    job = await claim("gpu-0")
    await jobs.queue.release_job(job.id, 1, "gpu-0", "its worker died")
    held = await claim("gpu-1")
    caplog.set_level(logging.WARNING, "storage")

    assert not await jobs.queue.renew_lease(job.id, attempt, worker, LEASE)
    assert not await jobs.queue.finish_job(job.id, attempt, worker, RESULT)
    assert not await jobs.queue.fail_job(job.id, attempt, worker, "no")
    assert not await jobs.queue.record_part(job.id, attempt, worker, 0, RESULT)
    assert await jobs.queue.release_job(job.id, attempt, worker, "no") is None

    assert await jobs.reader.get_job(job.id) == held
    assert [record.action for record in caplog.records] == [
        "refuse_renew",
        "refuse_finish",
        "refuse_fail",
        "refuse_record_part",
        "refuse_release",
    ]


async def test_cancelling_a_queued_job_ends_it_at_once(jobs, enqueue, clock, database):
    job = await enqueue()

    record = await jobs.queue.cancel_job(job.id, "ada")

    assert await jobs.reader.get_job(job.id) == record
    assert (JobState.CANCELLED, clock.now()) == (record.state, record.finished_at)
    assert record.delivery == DeliveryState.NONE
    assert await vtime(database) == 0.0
    assert await jobs.queue.claim("gpu-0", LEASE) is None


async def test_cancelling_a_running_job_refuses_what_its_worker_says_later(jobs, enqueue, claim):
    await enqueue()
    job = await claim()

    record = await jobs.queue.cancel_job(job.id, None, deliver=True)

    assert (record.state, record.worker) == (JobState.CANCELLED, "gpu-0")
    assert record.delivery == DeliveryState.PENDING
    assert not await jobs.queue.finish_job(job.id, 1, "gpu-0", RESULT)
    assert not await jobs.queue.renew_lease(job.id, 1, "gpu-0", LEASE)
    assert await jobs.reader.get_job(job.id) == record


async def test_only_its_owner_cancels_a_job(jobs, enqueue):
    job = await enqueue(owner="ada")

    with pytest.raises(UnknownJob, match="There is no job"):
        await jobs.queue.cancel_job(job.id, "bob")

    assert await jobs.reader.get_job(job.id) == job


async def test_cancelling_what_is_not_there_says_so(jobs):
    with pytest.raises(UnknownJob) as caught:
        await jobs.queue.cancel_job("nothing", None)

    assert caught.value.job == "nothing"


async def ended(jobs, job, state):
    if state is JobState.DONE:
        await jobs.queue.finish_job(job.id, 1, "gpu-0", RESULT)
    elif state is JobState.FAILED:
        await jobs.queue.fail_job(job.id, 1, "gpu-0", "no")
    else:
        await jobs.queue.cancel_job(job.id, None)
    return await jobs.reader.get_job(job.id)


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.CANCELLED])
async def test_terminal_states_never_change(jobs, enqueue, claim, database, clock, state):
    await enqueue()
    job = await ended(jobs, await claim(), state)
    clock.pass_time(999)

    assert await jobs.queue.cancel_job(job.id, "ada", deliver=True) == job
    assert not await jobs.queue.finish_job(job.id, 1, "gpu-0", {})
    assert not await jobs.queue.fail_job(job.id, 1, "gpu-0", "no")
    assert await jobs.queue.release_job(job.id, 1, "gpu-0", "no") is None
    assert await jobs.queue.expire_leases() == []
    assert await jobs.queue.recover_jobs() == []
    assert await jobs.reader.get_job(job.id) == job


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.CANCELLED])
async def test_the_schema_itself_refuses_to_change_a_terminal_state(
    jobs, enqueue, claim, database, state
):
    await enqueue()
    job = await ended(jobs, await claim(), state)

    for other in JobState:
        if other is not state:
            with pytest.raises(ConstraintBroken, match="no such change"):
                await database.execute(
                    "UPDATE job SET state = ? WHERE id = ?", (str(other), job.id)
                )


async def test_the_schema_itself_refuses_to_number_an_attempt_twice(enqueue, claim, database):
    await enqueue()
    job = await claim()

    with pytest.raises(ConstraintBroken, match="never numbered twice"):
        await database.execute("UPDATE job SET attempt = 0 WHERE id = ?", (job.id,))


async def test_the_schema_itself_starts_every_job_as_queued(enqueue, database):
    job = await enqueue()
    columns = "kind, params, inputs, owner, reply_to, cost, priority, weight, created_at"

    with pytest.raises(ConstraintBroken, match="starts as queued"):
        await database.execute(
            f"INSERT INTO job (id, idempotency_key, state, {columns})"
            f" SELECT ?, 'other', 'done', {columns} FROM job WHERE id = ?",
            ("z" * 20, job.id),
        )


async def test_a_lease_that_ran_out_gives_the_job_back(jobs, enqueue, claim, clock):
    await enqueue(owner="ada")
    await enqueue(owner="bob")
    late = await claim("gpu-0")
    clock.pass_time(30)
    await claim("gpu-1")
    clock.pass_time(30)

    taken = await jobs.queue.expire_leases()

    assert [(each.id, each.state, each.strikes) for each in taken] == [
        (late.id, JobState.QUEUED, 1)
    ]
    assert await jobs.queue.expire_leases() == []


async def test_a_lease_that_ran_out_three_times_fails_the_job(jobs, enqueue, claim, clock):
    job = await enqueue()
    for _ in range(3):
        await claim()
        clock.pass_time(60)
        (taken,) = await jobs.queue.expire_leases()

    assert (job.id, JobState.FAILED) == (taken.id, taken.state)
    assert (
        str(read_notice(taken.error))
        == "Given up after 3 attempts: its worker stopped making progress."
    )


async def test_expiry_can_be_asked_for_another_moment(jobs, enqueue, claim, clock):
    await enqueue()
    job = await claim()

    assert await jobs.queue.expire_leases(job.lease_until - timedelta(microseconds=1)) == []
    assert [each.id for each in await jobs.queue.expire_leases(job.lease_until)] == [job.id]


@pytest.mark.parametrize("is_renewed", [False, True])
@pytest.mark.parametrize("step", [timedelta(days=30), timedelta(days=-30)])
async def test_a_step_of_the_wall_clock_ends_no_lease_and_prolongs_none(
    jobs, enqueue, claim, clock, step, is_renewed
):
    await enqueue()
    job = await claim()

    clock.wall += step
    if is_renewed:
        assert await jobs.queue.renew_lease(job.id, job.attempt, job.worker, LEASE)
    clock.pass_time(59)
    assert await jobs.queue.expire_leases() == []

    clock.pass_time(1)
    assert len(await jobs.queue.expire_leases()) == 1


async def test_a_restart_takes_back_the_jobs_of_dead_workers_whatever_the_clock(
    jobs, enqueue, claim, clock
):
    dead = await enqueue(owner="ada")
    await enqueue(owner="bob")
    await claim("gpu-0")
    alive = await claim("gpu-1")
    clock.steady -= timedelta(days=30)

    taken = await jobs.queue.recover_jobs(live_workers={"gpu-1"})

    assert [(each.id, each.state) for each in taken] == [(dead.id, JobState.QUEUED)]
    record = await jobs.reader.get_job(alive.id)
    assert (JobState.RUNNING, clock.steady_time() + LEASE) == (record.state, record.lease_until)


async def test_a_job_that_ends_easel_three_times_is_given_up(jobs, enqueue, claim):
    await enqueue()
    for _ in range(3):
        await claim()
        (taken,) = await jobs.queue.recover_jobs()

    assert (
        str(read_notice(taken.error))
        == "Given up after 3 attempts: Easel stopped while it was running."
    )


async def test_what_is_taken_back_comes_in_the_order_of_arrival(jobs, enqueue, claim):
    asked = [await enqueue(owner=owner) for owner in "dbca"]
    for _ in asked:
        await claim()

    assert [job.id for job in asked] == [job.id for job in await jobs.queue.recover_jobs()]


async def test_a_stopped_job_is_done_with_what_it_made_and_charged_for_that(
    jobs, enqueue, claim, database
):
    await enqueue(cost=10.0)
    job = await claim()
    await jobs.queue.renew_lease(job.id, 1, "gpu-0", LEASE, step=6, steps=20)

    assert await jobs.queue.stop_job(job.id, "ada")
    stopping = await jobs.reader.get_job(job.id)
    assert await jobs.queue.finish_job(job.id, 1, "gpu-0", RESULT)

    record = await jobs.reader.get_job(job.id)
    assert (stopping.state, stopping.stopping) == (JobState.RUNNING, True)
    assert (record.state, record.result, record.charged) == (JobState.DONE, RESULT, 3.0)
    assert await vtime(database) == 3.0


@pytest.mark.parametrize("end", ["release_job", "expire_leases", "recover_jobs"])
async def test_a_stopped_job_that_made_nothing_is_called_off_and_not_tried_again(
    jobs, enqueue, claim, clock, end
):
    await enqueue(cost=10.0)
    job = await claim()
    await jobs.queue.renew_lease(job.id, 1, "gpu-0", LEASE, step=1, steps=20)
    await jobs.queue.stop_job(job.id, None)
    clock.pass_time(LEASE.total_seconds() + 1)

    if end == "release_job":
        (record,) = [await jobs.queue.release_job(job.id, 1, "gpu-0", "its worker died")]
    else:
        (record,) = await getattr(jobs.queue, end)()

    assert (record.state, record.result, record.charged) == (JobState.CANCELLED, None, 0.5)
    assert record.delivery == DeliveryState.PENDING
    assert await jobs.queue.claim("gpu-0", LEASE) is None


async def test_only_a_running_job_of_ones_own_is_stopped_and_only_once(jobs, enqueue, claim):
    waiting = await enqueue()
    assert not await jobs.queue.stop_job(waiting.id, "ada")
    job = await claim()

    assert not await jobs.queue.stop_job(job.id, "bob")
    assert await jobs.queue.stop_job(job.id, "ada")
    assert not await jobs.queue.stop_job(job.id, "ada")

    assert (await jobs.queue.cancel_job(job.id, "ada")).state == JobState.CANCELLED
    assert not await jobs.queue.stop_job(job.id, "ada")


async def claim_all(enqueue, claim, count, worker="gpu-0", **changes):
    for _ in range(count):
        await enqueue(**changes)
    return [await claim(worker) for _ in range(count)]


async def test_several_that_a_worker_held_lose_no_attempt_and_are_tried_in_halves(
    jobs, enqueue, claim
):
    held = await claim_all(enqueue, claim, 5)

    lost = await jobs.queue.release_lost("gpu-0", [(job.id, 1) for job in held], "it died")

    assert [(job.id, job.state, job.strikes) for job in lost] == [
        (job.id, JobState.QUEUED, 0) for job in held
    ]
    assert [job.quarantine for job in lost] == [1, 1, 1, 2, 2]
    assert [await jobs.reader.get_job(job.id) for job in lost] == lost


async def test_one_that_was_alone_loses_an_attempt_and_stays_alone(jobs, enqueue, claim):
    (job,) = await claim_all(enqueue, claim, 1)

    (lost,) = await jobs.queue.release_lost("gpu-0", [(job.id, 1)], "it died")

    assert (lost.state, lost.strikes, lost.quarantine) == (JobState.QUEUED, 1, 1)


async def test_who_is_gone_already_was_company_all_the_same(jobs, enqueue, claim):
    cancelled, job = await claim_all(enqueue, claim, 2)
    await jobs.queue.cancel_job(cancelled.id, None)

    (lost,) = await jobs.queue.release_lost(
        "gpu-0", [(cancelled.id, 1), (job.id, 1), (job.id, 7)], "it died"
    )

    assert (lost.id, lost.strikes, lost.quarantine) == (job.id, 0, 1)


async def test_a_loss_told_twice_counts_once(jobs, enqueue, claim):
    (job,) = await claim_all(enqueue, claim, 1)
    await jobs.queue.release_lost("gpu-0", [(job.id, 1)], "it fell silent")
    again = await claim("gpu-1")

    assert await jobs.queue.release_lost("gpu-0", [(job.id, 1)], "it died") == []
    assert await jobs.reader.get_job(job.id) == again


async def test_a_group_is_claimed_as_a_whole_and_others_go_past_it(jobs, enqueue, claim):
    held = await claim_all(enqueue, claim, 4)
    innocent = await enqueue(owner="bob")
    await jobs.queue.release_lost("gpu-0", [(job.id, 1) for job in held], "it died")

    passing = await jobs.queue.claim("gpu-1", LEASE)
    turn = await jobs.queue.quarantine_turn()
    first = await jobs.queue.claim_quarantine("gpu-0", LEASE, turn.group)

    assert passing.id == innocent.id
    assert await jobs.queue.claim("gpu-1", LEASE) is None
    assert turn.is_next
    assert [job.id for job in first] == [job.id for job in held[:2]]
    assert (await jobs.queue.quarantine_turn()).group == 2
    await jobs.queue.claim_quarantine("gpu-1", LEASE, 2)
    assert (await jobs.queue.quarantine_turn()).group is None


@pytest.mark.parametrize("slack", [0.0, 100.0])
async def test_no_other_claim_takes_a_suspect(jobs, enqueue, claim, slack):
    """A claim that waited for the store knows nothing of a worker that was lost meanwhile."""
    held = await claim_all(enqueue, claim, 2)
    await jobs.queue.release_lost("gpu-0", [(job.id, 1) for job in held], "it died")
    later = await enqueue(owner="bob", cost=1000.0)

    options = {"affinity": "starter", "slack": slack}
    taken = await jobs.queue.claim_several("gpu-0", LEASE, 8, **options)

    assert [job.id for job in taken] == [later.id]
    assert await jobs.queue.claim("gpu-0", LEASE, **options) is None


async def test_suspicion_outlives_a_restart_and_ends_with_the_job(
    jobs, enqueue, claim, folder, database, clock
):
    held = await claim_all(enqueue, claim, 2)
    await jobs.queue.recover_jobs()

    turn = await JobStore(database, clock).queue.quarantine_turn()
    (job,) = await jobs.queue.claim_quarantine("gpu-0", LEASE, turn.group)
    await jobs.queue.finish_job(job.id, job.attempt, "gpu-0", RESULT)
    await jobs.queue.cancel_job(held[1].id, None)

    assert job.id == held[0].id
    assert await jobs.queue.quarantine_turn() is None
    assert {(await jobs.reader.get_job(each.id)).quarantine for each in held} == {None}


@pytest.mark.parametrize("take_back", ["expire", "recover"])
async def test_jobs_taken_back_together_lose_no_attempt_and_one_alone_does(
    jobs, enqueue, claim, clock, take_back
):
    together = await claim_all(enqueue, claim, 2)
    (alone,) = await claim_all(enqueue, claim, 1, "gpu-1")
    clock.pass_time(61)

    queue = jobs.queue
    taken = await (queue.expire_leases() if take_back == "expire" else queue.recover_jobs())

    assert {job.id: job.strikes for job in taken} == {
        together[0].id: 0,
        together[1].id: 0,
        alone.id: 1,
    }


async def test_a_worker_s_leases_are_renewed_with_one_statement_each_for_itself(
    jobs, database, enqueue, claim, clock, monkeypatch
):
    for _ in range(6):
        await enqueue()
    held = [await claim() for _ in range(4)]
    other = await claim(worker="gpu-1")
    ended = held.pop()
    await jobs.queue.finish_job(ended.id, 1, "gpu-0", {})
    before = {job.id: job.lease_until for job in (*held, other)}
    clock.pass_time(1)
    statements = []
    fetch_all = Transaction.fetch_all

    async def note_statement(self, sql, parameters=()):
        statements.append(sql)
        return await fetch_all(self, sql, parameters)

    monkeypatch.setattr(Transaction, "fetch_all", note_statement)
    asked = [
        LeaseRenewal(id=job.id, attempt=attempt, step=3, steps=20, spent=0.5)
        for job, attempt in [*((job, 1) for job in held), (held[0], 2), (other, 1), (ended, 1)]
    ]
    renewed = await jobs.queue.renew_leases("gpu-0", LEASE, asked)

    assert len(statements) == 1
    assert renewed == {(job.id, 1) for job in held}
    for job in held:
        record = await jobs.reader.get_job(job.id)
        assert (record.step, record.steps) == (3, 20)
        assert record.lease_until == clock.steady_time() + LEASE
    untouched = await jobs.reader.get_job(other.id)
    assert (untouched.step, untouched.lease_until) == (0, before[other.id])


@pytest.mark.parametrize("count", [1, 4])
async def test_what_a_machine_held_that_went_away_goes_back_as_it_was(jobs, enqueue, claim, count):
    for _ in range(count):
        await enqueue()
    held = [await claim() for _ in range(count)]

    returned = await jobs.queue.release_lost(
        "gpu-0", [(job.id, 1) for job in held], {"code": "a", "params": {}}, count_attempts=False
    )

    assert [(job.state, job.strikes, job.quarantine) for job in returned] == [
        (JobState.QUEUED, 0, None)
    ] * count
