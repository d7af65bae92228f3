"""Workers that do not end with the bot: the next one goes on with what they have in hand."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from inference.api.jobs import LoopbackJob
from inference.api.messages import JobsFound, SearchEnded
from storage.records import JobState
from tests.bot.dispatcher.conftest import Line, until


@pytest.fixture
def next_life(idle_line):
    """Give the bot that comes after, on the same store and the same worker."""

    @contextlib.asynccontextmanager
    async def live() -> AsyncIterator[Line]:
        orphans = await idle_line.jobs.queue.list_running()
        await idle_line.jobs.queue.recover_jobs({worker for _, _, worker in orphans})
        line = Line(
            idle_line.database,
            idle_line.folder,
            idle_line.lease,
            idle_line.timing,
            idle_line.service,
            orphans,
        )
        line.service = idle_line.service
        line.dispatcher.start()
        try:
            yield line
        finally:
            await line.dispatcher.stop(0)

    return live


async def run_to_step(line: Line) -> str:
    job_id = await line.run()
    line.service.progress(3, 9)
    await until(lambda: line.witness.steps)
    return job_id


async def test_a_job_that_went_on_is_taken_over_and_ends_once(next_life):
    async with next_life() as line:
        job_id = await run_to_step(line)
        held = line.service.job
    async with next_life() as line:
        assert line.service.cancelled == []
        line.service.send_event(JobsFound(jobs=((job_id, 1),)))
        line.service.send_event(SearchEnded())
        line.service.finish()
        record = await line.settled()

        assert (record.id, record.state, record.attempt) == (job_id, JobState.DONE, 1)
        assert (record.strikes, record.worker) == (0, line.service.worker)
        assert line.service.submitted == [held]


async def test_what_no_worker_has_goes_back_without_a_strike_and_is_handed_over_anew(next_life):
    async with next_life() as line:
        job_id = await run_to_step(line)
        line.service.held.clear()
    async with next_life() as line:
        assert (await line.jobs.reader.get_job(job_id)).state is JobState.RUNNING
        line.service.send_event(SearchEnded())
        await until(lambda: line.service.held)
        line.service.finish()
        record = await line.settled()

        assert (record.id, record.attempt, record.strikes) == (job_id, 2, 0)


async def test_what_was_called_off_meanwhile_is_called_off_where_it_went_on(next_life):
    async with next_life() as line:
        job_id = await run_to_step(line)
    async with next_life() as line:
        await line.dispatcher.cancel_job(job_id, "ada")
        line.service.send_event(JobsFound(jobs=((job_id, 1),)))
        await until(lambda: line.service.cancelled)

        assert line.service.cancelled == [job_id]
        assert line.witness.only().state is JobState.CANCELLED


async def test_a_worker_that_is_found_with_an_attempt_that_was_given_away_is_told(next_life):
    async with next_life() as line:
        job_id = await run_to_step(line)
        line.service.held.clear()
    async with next_life() as line:
        line.service.send_event(SearchEnded())
        await until(lambda: line.service.held)
        line.service.send_event(JobsFound(jobs=((job_id, 1), ("unheard-of", 1))))
        await until(lambda: len(line.service.cancelled) == 2)

        assert line.service.cancelled == [job_id, "unheard-of"]


async def test_what_the_bot_holds_goes_on_where_only_the_link_was_away(next_life):
    async with next_life() as line:
        job_id = await run_to_step(line)
        line.service.send_event(JobsFound(jobs=((job_id, 1),)))
        line.service.send_event(SearchEnded())
        line.service.finish()
        record = await line.settled()

        assert (record.state, record.attempt) == (JobState.DONE, 1)
        assert line.service.cancelled == []


async def test_a_job_that_was_to_end_early_is_told_again(next_life):
    async with next_life() as line:
        job_id = await line.run(job=LoopbackJob(prompt="a fox", loops=4))
        await line.dispatcher.cancel_job(job_id, "ada", keep=True)
        assert line.service.stopped == [job_id]
    async with next_life() as line:
        line.service.send_event(JobsFound(jobs=((job_id, 1),)))
        await until(lambda: len(line.service.stopped) == 2)
        line.service.finish()

        assert (await line.settled()).state is JobState.DONE
