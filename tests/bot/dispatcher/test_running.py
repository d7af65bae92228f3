from __future__ import annotations

import asyncio
import hashlib
import sys
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from unittest.mock import Mock

import pytest

from bot.dispatcher.event_handler import InFlightJobs, WorkerEventHandler
from bot.support.metrics import MetricsSink
from inference.api.jobs import Img2ImgJob, LoopbackJob
from inference.api.messages import JobFinished, JobProgress, JobsWaiting, OutputFile
from inference.api.notices import Notice, read_notice
from storage.errors import DiskFull, UnknownJob
from storage.records import JobState
from tests.bot.dispatcher.conftest import CAPACITY, PATIENCE, at_pace, until


async def test_a_job_reaches_the_worker_with_its_pictures(line):
    id = await line.run()

    job = line.service.job
    record = await line.jobs.reader.get_job(id)
    assert (id, 1, "img2img") == (job.job_id, job.attempt, job.kind)
    assert dict(job.params) == record.params
    assert job.owner == record.owner
    assert str(line.blobs.path_of(record.inputs["image"])) == job.inputs["image"]
    assert (JobState.RUNNING, line.service.worker) == (record.state, record.worker)


async def test_a_worker_is_given_no_more_than_it_can_hold(line):
    for _ in range(CAPACITY + 2):
        await line.submit()
    await until(lambda: len(line.service.held) == CAPACITY)
    assert len(line.service.submitted) == CAPACITY

    line.service.finish(next(iter(line.service.held)))
    await line.settled()
    await until(lambda: len(line.service.submitted) == CAPACITY + 1)

    assert len(line.service.held) == CAPACITY


async def test_jobs_wait_while_there_is_no_worker(line):
    line.service.ready = False
    id = (await line.submit()).record.id
    line.service.ready = True

    await line.submit()

    await until(lambda: id in line.service.held)


@pytest.mark.parametrize("job_count", [16, 1024])
async def test_a_step_costs_no_more_for_what_others_hold(job_count):
    """The calls of one event are counted, and what a worker is said to hold is its own."""
    in_flight = InFlightJobs()
    handler = WorkerEventHandler(
        *(Mock(), Mock(), Mock(), in_flight),
        lease=timedelta(hours=1),
        renew_seconds=3600,
        listeners=(),
        learn_from_job=Mock(),
        host_alert=Mock(),
        metrics=MetricsSink(),
    )
    for number in range(job_count):
        record = Mock(id=f"job-{number}", attempt=1, idempotency_key=f"request-{number}")
        in_flight.add_job(record, f"worker-{number // 16}")
    event = JobProgress(job_id="job-3", attempt=1, step=1, steps=20)
    await handler.handle_event("worker-0", event)  # what is cached once is no part of a step
    calls = Counter()
    sys.setprofile(lambda frame, kind, argument: calls.update([kind]))
    try:
        await handler.handle_event("worker-0", event)
        held = in_flight.held_by("worker-0")
    finally:
        sys.setprofile(None)

    assert [job.record.id for job in held] == [f"job-{number}" for number in range(16)]
    assert calls["call"] + calls["c_call"] < 200


async def test_steps_do_not_ask_the_queue_for_jobs(line, monkeypatch):
    await line.run()
    await line.jobs.reader.count_by_state()  # the claim that found nothing more is over
    claims = []
    claim_several = line.jobs.queue.claim_several
    monkeypatch.setattr(
        line.jobs.queue,
        "claim_several",
        lambda *arguments, **more: [claims.append(1), claim_several(*arguments, **more)][1],
    )

    for step in range(20):
        line.service.progress(step + 1, 20)
    await until(lambda: len(line.witness.steps) == 20)

    assert claims == []


@pytest.mark.parametrize("counts", [True, False])
async def test_a_machine_that_went_away_is_no_strike(line, counts):
    """Three times as often as a job may be lost with its worker."""
    id = await line.run()
    for _ in range(9):
        line.service.lose_worker(counts=counts)
        await until(lambda: line.service.held or line.witness.settlements)
        if not line.service.held:
            break

    record = await line.jobs.reader.get_job(id)
    assert record.strikes == (0 if not counts else 3)
    assert record.state is (JobState.RUNNING if not counts else JobState.FAILED)


async def test_a_step_is_announced(line):
    id = await line.run()

    line.service.progress(1, 20)
    line.service.progress(2, 20)
    await until(lambda: len(line.witness.steps) == 2)

    assert [(id, 1), (id, 2)] == line.witness.steps


@at_pace(renew_seconds=0.0)
@pytest.mark.parametrize("word", ["step", "waiting"])
async def test_a_word_of_a_job_renews_its_own_lease_and_no_other(line, word):
    named, unnamed = await line.run(), await line.run()
    before = {id: (await line.jobs.reader.get_job(id)).lease_until for id in (named, unnamed)}

    if word == "waiting":
        line.service.waiting(named)
    line.service.progress(7, 20, named)
    await until(lambda: line.witness.steps)

    after = {id: await line.jobs.reader.get_job(id) for id in (named, unnamed)}
    assert (after[named].step, after[named].steps) == (7, 20)
    assert after[named].lease_until > before[named]
    assert after[unnamed].lease_until == before[unnamed]


async def test_a_worker_s_leases_are_renewed_together_once_an_interval(monkeypatch):
    """64 workers of 16 jobs, all of which step: one transaction a worker a second."""
    now = [1000.0]
    monkeypatch.setattr("bot.dispatcher.event_handler.monotonic", lambda: now[0])
    renewals, in_flight = Counter(), InFlightJobs()

    async def renew_leases(worker, lease, told):
        renewals[worker] += 1
        assert len(told) == 16
        return {(renewal.id, renewal.attempt) for renewal in told}

    handler = WorkerEventHandler(
        *(Mock(**{"queue.renew_leases": renew_leases}), Mock(), Mock(), in_flight),
        lease=timedelta(minutes=1),
        renew_seconds=1.0,
        listeners=(),
        learn_from_job=Mock(),
        host_alert=Mock(),
        metrics=MetricsSink(),
    )
    for number in range(64 * 16):
        record = Mock(id=f"job-{number}", attempt=1, idempotency_key=f"request-{number}")
        in_flight.add_job(record, f"worker-{number // 16}")

    for step in range(1, 31):  # ten steps of every job a second, for three seconds
        now[0] += 0.1
        for number in range(64 * 16):
            event = JobProgress(job_id=f"job-{number}", attempt=1, step=step, steps=100)
            if step == 1 or number % 16 == 0:
                await handler.handle_event(f"worker-{number // 16}", event)
            elif number % 16 == 1:
                jobs = tuple((f"job-{number + other}", 1) for other in range(15))
                await handler.handle_event(f"worker-{number // 16}", JobsWaiting(jobs=jobs))

    assert set(renewals.values()) <= {2, 3}
    assert len(renewals) == 64


async def keep_saying(line, *ids, waiting=()):
    """Be a worker that steps some jobs, for ever."""
    step = 0
    while True:
        step += 1
        for id in ids:
            if id in line.service.held:
                line.service.progress(step, 10**6, id)
        line.service.waiting(*(id for id in waiting if id in line.service.held))
        await asyncio.sleep(0.01)


@at_pace(sweep_seconds=0.01, renew_seconds=0.0, lease=timedelta(seconds=0.5))
async def test_a_job_that_its_worker_says_nothing_of_expires_though_others_step(line):
    stepping, forgotten = await line.run(), await line.run()
    worker = line.service.worker
    saying = asyncio.create_task(keep_saying(line, stepping))

    await until(lambda: len(line.service.submitted) > 2)
    saying.cancel()

    assert [job.job_id for job in line.service.submitted[2:]] == [forgotten]
    assert forgotten in line.service.cancelled
    assert worker == line.service.worker
    records = [await line.jobs.reader.get_job(id) for id in (stepping, forgotten)]
    assert [(record.attempt, record.strikes) for record in records] == [(1, 0), (2, 1)]


@at_pace(sweep_seconds=0.01, renew_seconds=0.0, lease=timedelta(seconds=0.3))
async def test_a_job_that_waits_in_a_worker_that_works_keeps_its_lease(line):
    stepping, waiting = await line.run(), await line.run()
    saying = asyncio.create_task(keep_saying(line, stepping, waiting=[waiting]))

    await asyncio.sleep(1.5)
    saying.cancel()

    assert len(line.service.submitted) == 2
    assert (await line.jobs.reader.get_job(waiting)).attempt == 1


@at_pace(sweep_seconds=0.01, renew_seconds=0.0, lease=timedelta(seconds=0.3))
async def test_renewals_that_fail_for_a_while_cost_no_job_its_attempt(line, monkeypatch):
    id = await line.run()
    saying = asyncio.create_task(keep_saying(line, id))

    async def full(*arguments):
        raise DiskFull

    with monkeypatch.context() as patch:
        patch.setattr(line.jobs.queue, "renew_leases", full)
        await asyncio.sleep(1.0)
    renewed = (await line.jobs.reader.get_job(id)).lease_until
    await until_async(lambda: later_lease(line, id, renewed))
    saying.cancel()

    record = await line.jobs.reader.get_job(id)
    assert (record.state, record.attempt, record.strikes) == (JobState.RUNNING, 1, 0)


async def later_lease(line, id, lease_until):
    return (await line.jobs.reader.get_job(id)).lease_until > lease_until


async def until_async(test):
    async with asyncio.timeout(PATIENCE):
        while not await test():  # noqa: ASYNC110 - the loops under test tell nobody
            await asyncio.sleep(0.01)


async def test_a_result_is_recorded_before_it_is_announced(line):
    id = await line.run()
    line.service.finish(text="a fox", notes=("cropped",), seam=True)

    record = await line.settled()

    assert (id, JobState.DONE) == (record.id, record.state)
    (image,) = record.result["pictures"]
    assert (image["width"], image["height"], image["media_type"]) == (16, 16, "image/png")
    assert (await line.blobs.get(image["key"])).startswith(b"\x89PNG")
    assert (record.result["text"], record.result["notes"]) == (
        "a fox",
        [Notice("cropped").to_json()],
    )
    (seam,) = record.result["seams"]
    assert (await line.blobs.get(seam["key"])).startswith(b"\x89PNG")
    assert list(line.service.outbox.iterdir()) == []


@pytest.mark.parametrize("fault", ["input", "model", "memory"])
async def test_what_cannot_be_done_is_not_tried_again(line, fault):
    await line.run()
    line.service.fail("The mask is empty.", fault)

    record = await line.settled()

    assert (record.state, record.error) == (
        JobState.FAILED,
        Notice("The mask is empty.").to_text(),
    )
    assert len(line.service.submitted) == 1


async def test_what_broke_inside_is_tried_three_times(line):
    id = await line.run()
    for attempt in (1, 2, 3):
        await until(lambda: id in line.service.held)
        assert attempt == line.service.job.attempt
        line.service.fail("Something broke", "engine")

    record = await line.settled()

    assert record.state == JobState.FAILED
    assert "Given up after 3 attempts: Something broke" in str(read_notice(record.error))


async def test_the_jobs_of_a_lost_worker_run_again(line):
    first, second = await line.run(), await line.run()
    lost = line.service.worker

    line.service.lose_worker()
    for number, id in enumerate((first, second)):
        await until(lambda id=id: id in line.service.held)
        assert (line.service.job.job_id, line.service.job.attempt) == (id, 2)
        assert len(line.witness.settlements) == number
        assert lost != (await line.jobs.reader.get_job(id)).worker
        line.service.finish()
        record = await line.settled(number + 1)
        assert (record.id, record.state, record.strikes) == (id, JobState.DONE, 0)


async def test_a_worker_that_comes_back_from_the_dead_is_not_believed(line):
    id = await line.run()
    zombie, outbox = line.service.worker, line.service.outbox
    line.service.lose_worker()
    await until(lambda: line.service.held.get(id) and line.service.job.attempt == 2)
    path = outbox / "late.png"
    path.write_bytes(b"late")
    late = OutputFile(path=str(path), width=1, height=1, media_type="image/png")

    for worker, attempt in ((zombie, 1), (zombie, 2), (line.service.worker, 1)):
        event = JobFinished(job_id=id, attempt=attempt, images=(late,))
        line.service.send_event(event, worker)
    await until(lambda: not path.exists())

    assert (await line.jobs.reader.get_job(id)).state == JobState.RUNNING
    line.service.finish(id)
    assert (await line.settled()).state == JobState.DONE


async def test_a_result_whose_file_is_gone_is_made_again(line):
    id = await line.run()
    missing = OutputFile(path="/nowhere/a.png", width=1, height=1, media_type="image/png")

    line.service.held.clear()
    line.service.send_event(JobFinished(job_id=id, attempt=1, images=(missing,)))
    await until(lambda: id in line.service.held)

    assert line.service.job.attempt == 2
    line.service.finish()
    assert (await line.settled()).state == JobState.DONE


@at_pace(store_pause_seconds=0.0)
async def test_a_full_disk_stops_nobody_from_listening(line, monkeypatch):
    first, second = await line.run(), await line.run()

    refused = asyncio.Event()

    async def full(path: Path) -> str:
        refused.set()
        raise DiskFull

    with monkeypatch.context() as patch:
        patch.setattr(line.blobs, "adopt", full)
        line.service.finish(first)
        await refused.wait()
    line.service.finish(second)

    assert (await line.settled()).id == second


async def test_a_waiting_job_is_cancelled_at_once(line):
    line.service.ready = False
    id = (await line.submit()).record.id

    record = await line.dispatcher.cancel_job(id, "ada")

    assert record.state == JobState.CANCELLED
    assert line.witness.only().id == id


async def test_a_running_job_is_taken_from_its_worker(line):
    id = await line.run()

    await line.dispatcher.cancel_job(id, None)

    assert [id] == line.service.cancelled
    assert (await line.jobs.reader.get_job(id)).state == JobState.CANCELLED
    other = await line.run()
    line.service.finish(other)
    await line.settled(2)
    assert (await line.jobs.reader.get_job(id)).state == JobState.CANCELLED


async def test_a_job_that_is_over_stays_as_it_is(line):
    id = await line.run()
    line.service.finish()
    await line.settled()

    record = await line.dispatcher.cancel_job(id, "ada")

    assert record.state == JobState.DONE
    assert len(line.witness.settlements) == 1


async def test_a_job_is_cancelled_by_its_owner_only(line):
    id = await line.run()

    with pytest.raises(UnknownJob):
        await line.dispatcher.cancel_job(id, "bob")

    assert id in line.service.held


async def test_a_stop_lets_jobs_in_hand_end(line):
    id = await line.run()
    stopping = asyncio.create_task(line.dispatcher.stop(60))
    await asyncio.sleep(0)
    waiting = (await line.submit()).record.id

    line.service.finish(id)
    await stopping

    assert (await line.jobs.reader.get_job(id)).state == JobState.DONE
    assert (await line.jobs.reader.get_job(waiting)).state == JobState.QUEUED


async def test_a_stop_hands_back_what_does_not_end(line):
    id = await line.run()

    await line.dispatcher.stop(0.01)

    record = await line.jobs.reader.get_job(id)
    assert (record.state, record.strikes) == (JobState.QUEUED, 0)
    assert [id] == line.service.cancelled


@at_pace(sweep_seconds=0.01, store_pause_seconds=0.0, lease=timedelta(seconds=0.4))
async def test_a_job_whose_end_could_not_be_stored_comes_back_with_its_lease(line, monkeypatch):
    id = await line.run()

    async def full(path: Path) -> str:
        raise DiskFull

    with monkeypatch.context() as patch:
        patch.setattr(line.blobs, "adopt", full)
        line.service.finish()
        await until(lambda: id in line.service.held)

    assert line.service.job.attempt == 2
    line.service.finish()
    assert (await line.settled()).state == JobState.DONE


@at_pace(sweep_seconds=0.01, lease=timedelta(seconds=0.4))
async def test_a_worker_that_hangs_is_killed_with_the_lease(line):
    first, second = await line.run(), await line.run()
    hung = line.service.worker

    await until(lambda: len(line.service.submitted) == 3)
    assert hung != line.service.worker
    assert (line.service.job.job_id, line.service.job.attempt) == (first, 2)
    line.service.finish()
    await until(lambda: second in line.service.held)
    line.service.finish()
    record = await line.settled(2)

    assert (record.id, record.strikes) == (second, 0)


@pytest.mark.parametrize("end", ["cancelled", "failed", "given up"])
async def test_what_ends_without_a_result_is_charged_for_all_the_steps_it_ran(
    line, end, monkeypatch
):
    other, id = await line.run(), await line.run()
    for step in (1, 2, 3, 4, 5):  # far faster than leases are renewed
        line.service.progress(step, 20, other)
        line.service.progress(step, 20, id)
    await until(lambda: (id, 5) in line.witness.steps)
    if end == "cancelled":
        await line.dispatcher.cancel_job(id, "ada")
    elif end == "failed":
        line.service.fail("The mask is blank.", job_id=id)
    else:
        monkeypatch.setattr(line.jobs.queue, "_max_attempts", 1)
        line.service.finish(other)
        await line.settled()
        line.service.lose_worker()
    await until(lambda: id in {record.id for record in line.witness.settlements})

    record = await line.jobs.reader.get_job(id)

    assert record.cost / 4 == pytest.approx(record.charged)


async def test_a_job_is_charged_what_its_worker_counted(line):
    id = await line.run()
    estimate = (await line.jobs.reader.get_job(id)).charged

    line.service.finish(job_id=id, flops=7.5e12)
    await until(lambda: line.witness.settlements)

    record = await line.jobs.reader.get_job(id)
    assert estimate == record.cost
    assert record.charged == 7.5


@pytest.mark.parametrize("end", ["cancelled", "failed", "given up"])
async def test_what_ends_without_a_result_is_charged_what_was_counted_by_then(
    line, end, monkeypatch
):
    id = await line.run()
    for step in (1, 2):  # far faster than leases are renewed
        line.service.progress(step, 20, id, flops=step * 1.25e12)
    await until(lambda: (id, 2) in line.witness.steps)
    if end == "cancelled":
        await line.dispatcher.cancel_job(id, "ada")
    elif end == "failed":
        line.service.fail("The mask is blank.", job_id=id)
    else:
        monkeypatch.setattr(line.jobs.queue, "_max_attempts", 1)
        line.service.lose_worker()
    await until(lambda: line.witness.settlements)

    assert (await line.jobs.reader.get_job(id)).charged == 2.5


@at_pace(renew_seconds=0.3)
async def test_a_job_that_steps_after_another_is_stored_as_far_as_it_is(line):
    first, second = await line.run(), await line.run()
    line.service.progress(3, 20, second)
    await until(lambda: (second, 3) in line.witness.steps)
    await asyncio.sleep(0.3)
    line.service.waiting(second)
    line.service.progress(4, 20, first)
    await until(lambda: (first, 4) in line.witness.steps)
    assert ((record := await line.jobs.reader.get_job(second)).step, record.steps) == (3, 20)


async def stopped(line):
    """A loopback that ran a quarter of its steps and was stopped by its owner."""
    id = await line.run(job=LoopbackJob(prompt="a fox", loops=8))
    record = await line.jobs.reader.get_job(id)
    await line.jobs.queue.renew_lease(id, 1, record.worker, timedelta(hours=1), 40, 160)
    return await line.dispatcher.cancel_job(id, "ada", keep=True)


async def test_a_stopped_loopback_is_done_with_what_it_made_and_charged_for_that(line):
    stopping = await stopped(line)
    assert (stopping.state, stopping.stopping) == (JobState.RUNNING, True)
    assert [stopping.id] == line.service.stopped
    assert line.witness.settlements == []

    line.service.finish(images=3, notes=("Stopped after 2 of 8 loops.",))

    record = await line.settled()
    assert record.state == JobState.DONE
    assert len(record.result["pictures"]) == 3
    assert record.cost / 4 == pytest.approx(record.charged)


@pytest.mark.parametrize("end", ["dropped", "lost", "failed", "cancelled again", "bot stopped"])
async def test_a_stopped_loopback_without_an_answer_is_cancelled_and_not_tried_again(line, end):
    record = await stopped(line)
    match end:
        case "dropped":
            await line.service.cancel_job(line.service.worker, record.id, 1)
        case "lost":
            line.service.lose_worker()
        case "failed":
            line.service.fail("It broke.", "engine")
        case "cancelled again":
            await line.dispatcher.cancel_job(record.id, "ada", keep=True)
        case "bot stopped":
            await line.dispatcher.stop(0)

    after = await line.settled()

    assert (record.id, JobState.CANCELLED) == (after.id, after.state)
    assert len(line.service.submitted) == 1


async def test_a_kind_that_has_nothing_to_show_half_way_is_cancelled_at_once(line):
    id = await line.run()

    record = await line.dispatcher.cancel_job(id, "ada", keep=True)

    assert record.state == JobState.CANCELLED
    assert ([], [id]) == (line.service.stopped, line.service.cancelled)


async def test_a_waiting_loopback_is_cancelled_at_once(line):
    line.service.ready = False
    record = (await line.submit(job=LoopbackJob(prompt="a fox"))).record

    after = await line.dispatcher.cancel_job(record.id, "ada", keep=True)

    assert after.state == JobState.CANCELLED


async def test_a_worker_keeps_its_checkpoint_while_that_is_nearly_fair(idle_line):
    line = idle_line
    line.service.capacity = 1
    for owner in ("ada", "bob"):
        for model in ("one", "two", "one", "two"):
            await line.submit(owner, job=Img2ImgJob(prompt="a fox", model=model))
    line.dispatcher.start()

    models = []
    for number in range(8):
        await until(lambda number=number: len(line.service.submitted) > number)
        models.append(line.service.submitted[-1].params.get("model"))
        line.service.finish()
        await line.settled(number + 1)
    await line.dispatcher.stop(0)

    changes = sum(one != other for one, other in pairwise(models))
    assert len(models) == 8
    assert changes < 7


async def test_one_worker_is_given_what_it_has_room_for(idle_line):
    line = idle_line
    ids = [(await line.submit()).record.id for _ in range(CAPACITY + 1)]
    line.dispatcher.start()
    await until(lambda: len(line.service.held) == CAPACITY)
    await line.dispatcher.stop(0)

    assert set(ids[:CAPACITY]) == {submission.job_id for submission in line.service.submitted}


@pytest.mark.parametrize("is_held", [True, False], ids=["of its job", "of a job it lost"])
async def test_a_result_elsewhere_is_neither_taken_nor_deleted(line, tmp_path, is_held):
    secret = tmp_path / ".env"
    secret.write_bytes(b"token")
    elsewhere = OutputFile(path=str(secret), width=1, height=1, media_type="image/png")
    id, worker = await line.run(), line.service.worker
    if is_held:
        line.service.held.clear()
    else:
        line.service.lose_worker()

    line.service.send_event(JobFinished(job_id=id, attempt=1, images=(elsewhere,)), worker)
    await until(lambda: line.service.held.get(id) and line.service.job.attempt == 2)
    line.service.finish()

    assert (await line.settled()).state == JobState.DONE
    assert secret.read_bytes() == b"token"
    assert hashlib.sha256(b"token").hexdigest() not in await line.blobs.list_keys()
