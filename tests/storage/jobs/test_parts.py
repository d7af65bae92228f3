from __future__ import annotations

import pytest

from storage.jobs import JobStore


async def test_the_parts_of_a_lost_attempt_are_there_for_the_next(jobs, enqueue, claim):
    await enqueue()
    job = await claim("gpu-0")
    for part in (0, 1):
        assert await jobs.queue.record_part(job.id, 1, "gpu-0", part, {"picture": f"{part}"})
    await jobs.queue.release_job(job.id, 1, "gpu-0", "its worker died")
    await claim("gpu-1")

    assert await jobs.queue.record_part(job.id, 2, "gpu-1", 2, {"picture": "2"})
    assert await jobs.queue.finished_parts(job.id) == {
        0: {"picture": "0"},
        1: {"picture": "1"},
        2: {"picture": "2"},
    }


async def test_a_part_done_again_replaces_the_first(jobs, enqueue, claim):
    await enqueue()
    job = await claim()
    await jobs.queue.record_part(job.id, 1, "gpu-0", 0, {"try": 1})

    assert await jobs.queue.record_part(job.id, 1, "gpu-0", 0, {"try": 2})
    assert await jobs.queue.finished_parts(job.id) == {0: {"try": 2}}


async def test_only_the_holder_records_parts(jobs: JobStore, enqueue, claim):
    await enqueue()
    job = await claim()

    assert not await jobs.queue.record_part(job.id, 2, "gpu-0", 0, {})
    assert not await jobs.queue.record_part(job.id, 1, "gpu-1", 0, {})
    assert await jobs.queue.finished_parts(job.id) == {}


@pytest.mark.parametrize("end", ["finish", "fail", "cancel", "cancel in the queue"])
async def test_what_has_ended_has_no_parts(jobs, enqueue, claim, end):
    await enqueue()
    job = await claim()
    await jobs.queue.record_part(job.id, 1, "gpu-0", 0, {"picture": "0"})
    match end:
        case "finish":
            await jobs.queue.finish_job(job.id, 1, "gpu-0", {})
        case "fail":
            await jobs.queue.fail_job(job.id, 1, "gpu-0", "no")
        case "cancel":
            await jobs.queue.cancel_job(job.id, None)
        case _:
            await jobs.queue.release_job(job.id, 1, "gpu-0", "its worker died")
            assert await jobs.queue.finished_parts(job.id)
            await jobs.queue.cancel_job(job.id, None)

    assert await jobs.queue.finished_parts(job.id) == {}


async def test_parts_go_with_their_job(jobs, enqueue, claim, database):
    await enqueue()
    job = await claim()
    await jobs.queue.record_part(job.id, 1, "gpu-0", 0, {})

    await jobs.retention.forget_owner("ada")

    assert await database.fetch_value("SELECT count(*) FROM job_part") == 0
