"""Whatever a loop awaits may fail in any way, once or for a while: it goes on, and says so."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.dispatcher import DispatcherTiming
from storage.errors import DiskFull
from storage.records import JobState
from tests.bot.dispatcher.conftest import Line, until

ERRORS = [RuntimeError("odd"), DiskFull(), asyncio.CancelledError(), RecursionError()]
TIMING = DispatcherTiming(sweep_seconds=0.01, store_pause_seconds=0.0, renew_seconds=0.0)
AWAITED = [
    "jobs.queue.quarantine_turn",
    "jobs.queue.claim_several",
    "jobs.queue.finished_parts",
    "jobs.queue.renew_leases",
    "jobs.queue.finish_job",
    "jobs.queue.release_job",
    "jobs.queue.release_lost",
    "jobs.queue.list_expired",
    "jobs.queue.expire_leases",
    "jobs.queue.record_part",
    "blobs.adopt",
    "service.submit_job",
    "service.next_event",
    "service.cancel_job",
    "service.kill_worker",
]


def failing(method, error, times):
    """Fail so often, then do as before."""
    left = times

    async def fail_or_call(*arguments, **options):
        nonlocal left
        if left > 0:
            left -= 1
            raise error
        return await method(*arguments, **options)

    return fail_or_call


async def run_until_done(line):
    """Be a worker that does all it is given, until every job has ended."""
    async with asyncio.timeout(60):
        while await line.jobs.reader.list_outstanding():
            for id in list(line.service.held):
                line.service.progress(1, 2, id)
                line.service.part(0, id)
                line.service.finish(id)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("times", [1, 6])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("name", AWAITED)
async def test_a_loop_outlives_whatever_it_awaits(idle_line, monkeypatch, name, error, times):
    line = Line(idle_line.database, idle_line.folder, timedelta(seconds=0.3), TIMING)
    *path, method_name = name.split(".")
    owner = line
    for attribute in path:
        owner = getattr(owner, attribute)
    line.dispatcher.start()
    first = await line.run()
    monkeypatch.setattr(owner, method_name, failing(getattr(owner, method_name), error, times))

    line.service.progress(1, 2, first)
    line.service.part(0, first)
    line.service.lose_worker()
    await line.submit()
    await run_until_done(line)
    monkeypatch.undo()
    last = await line.submit()
    await run_until_done(line)

    assert not any(task.done() for task in line.dispatcher._tasks)
    record = await line.jobs.reader.get_job(last.record.id)
    assert (record.state, record.strikes) == (JobState.DONE, 0)
    await until(lambda: line.health.failing == {})
    await line.dispatcher.stop(0)


@pytest.mark.parametrize(
    ("name", "loop"),
    [
        ("jobs.queue.claim_several", "claim"),
        ("service.next_event", "event"),
        ("jobs.queue.list_expired", "sweep"),
    ],
)
async def test_a_loop_that_keeps_failing_is_told(idle_line, monkeypatch, name, loop):
    line = Line(idle_line.database, idle_line.folder, timedelta(seconds=0.3), TIMING)
    *path, method_name = name.split(".")
    owner = line
    for attribute in path:
        owner = getattr(owner, attribute)
    method = failing(getattr(owner, method_name), RuntimeError("odd"), 10**9)
    monkeypatch.setattr(owner, method_name, method)

    line.dispatcher.start()
    await line.submit()
    await until(lambda: line.alerts)

    assert line.health.failing[loop].error == "RuntimeError: odd"
    assert [f"{loop} loop keeps failing" in alert for alert in line.alerts] == [True]
    await line.dispatcher.stop(0)


async def test_a_loop_that_keeps_failing_makes_no_other_spin(idle_line, monkeypatch):
    line = Line(idle_line.database, idle_line.folder, timedelta(hours=1), TIMING)
    method = failing(line.jobs.queue.list_expired, RuntimeError("odd"), 10**9)
    monkeypatch.setattr(line.jobs.queue, "list_expired", method)
    rounds = []
    claim = line.jobs.queue.claim_several

    async def count(*arguments, **options):
        rounds.append(arguments)
        return await claim(*arguments, **options)

    monkeypatch.setattr(line.jobs.queue, "claim_several", count)
    line.dispatcher.start()
    await until(lambda: line.alerts)
    await asyncio.sleep(0.2)

    assert len(rounds) < 5
    await line.dispatcher.stop(0)
