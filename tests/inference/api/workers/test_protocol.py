"""What the bot relies on, whoever runs the workers; the double keeps it too."""

from __future__ import annotations

import pytest

from inference.api.errors import NoWorker
from inference.api.messages import JobCancelled, JobFailed, JobFinished, JobProgress, WorkerLost
from inference.api.notices import Notice
from tests.inference.api.workers.conftest import submission


async def test_a_ready_worker_is_named_and_described(stage):
    worker = await stage.free()

    (status,) = stage.service.worker_statuses
    assert (worker, True, 0, 2) == (status.name, status.ready, status.held, status.capacity)
    assert status.models
    assert status.trouble is None


async def test_a_job_is_held_until_its_end(stage):
    worker = await stage.free()
    await stage.service.submit_job(worker, submission("a", attempt=3))
    assert stage.service.worker_statuses[0].held == 1

    stage.finish("a")
    first, second = await stage.event(), await stage.event()

    assert (worker, JobProgress(job_id="a", attempt=3, step=1, steps=1)) == first
    name, finished = second
    assert isinstance(finished, JobFinished)
    assert (worker, "a", 3, "done") == (name, finished.job_id, finished.attempt, finished.text)
    assert stage.service.worker_statuses[0].held == 0


async def test_a_failed_job_frees_its_place(stage):
    worker = await stage.free()
    await stage.service.submit_job(worker, submission())

    stage.fail("a")

    assert (worker, JobFailed(job_id="a", attempt=1, reason=Notice("no"), error_kind="input")) == (
        await stage.event()
    )
    assert stage.service.worker_statuses[0].held == 0


async def test_a_full_worker_is_not_free(stage):
    worker = await stage.free()
    await stage.service.submit_job(worker, submission("a"))
    await stage.service.submit_job(worker, submission("b"))

    assert stage.service.free_worker() is None
    stage.fail("b")
    await stage.event()
    assert stage.service.free_worker() == worker


async def test_a_cancelled_job_is_dropped(stage):
    worker = await stage.free()
    await stage.service.submit_job(worker, submission())

    await stage.service.cancel_job(worker, "a", 1)

    assert await stage.event() == (worker, JobCancelled(job_id="a", attempt=1))
    assert stage.service.worker_statuses[0].held == 0


async def test_cancelling_what_is_not_there_says_nothing(stage):
    worker = await stage.free()

    await stage.service.cancel_job(worker, "unknown", 1)
    await stage.service.cancel_job("long gone", "unknown", 1)
    await stage.service.submit_job(worker, submission())
    stage.fail("a")

    assert isinstance((await stage.event())[1], JobFailed)


async def test_a_worker_that_is_not_there_takes_no_job(stage):
    await stage.free()

    with pytest.raises(NoWorker):
        await stage.service.submit_job("long gone", submission())


async def test_a_worker_that_is_killed_is_lost_with_its_jobs_and_replaced(stage):
    worker = await stage.free()
    await stage.service.submit_job(worker, submission("a"))
    await stage.arrive("a")

    await stage.service.kill_worker("long gone")
    await stage.service.kill_worker(worker)
    assert worker not in [status.name for status in stage.service.worker_statuses if status.ready]
    with pytest.raises(NoWorker):
        await stage.service.submit_job(worker, submission("b"))
    name, lost = await stage.event()

    assert isinstance(lost, WorkerLost)
    assert (worker, (("a", 1),)) == (name, lost.jobs)
    assert worker != await stage.free()


async def test_a_lost_worker_names_its_jobs_and_another_takes_its_place(stage):
    worker = await stage.free()
    await stage.service.submit_job(worker, submission("a"))
    await stage.service.submit_job(worker, submission("b", attempt=2))
    await stage.arrive("a", "b")

    stage.kill()
    name, lost = await stage.event()

    assert isinstance(lost, WorkerLost)
    assert (worker, worker, (("a", 1), ("b", 2))) == (name, lost.worker, lost.jobs)
    other = await stage.free()
    assert other != worker
    assert stage.service.worker_statuses[0].held == 0
    with pytest.raises(NoWorker):
        await stage.service.submit_job(worker, submission())
