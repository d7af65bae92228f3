from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from inference.api.messages import JobFailed, JobProgress, JobsWaiting
from inference.api.notices import Notice
from inference.cluster.event_log import EventLog


def progress(job_id: str, step: int, preview: str | None = None) -> JobProgress:
    return JobProgress(job_id=job_id, attempt=1, step=step, steps=9, preview=preview)


def failed(job_id: str) -> JobFailed:
    return JobFailed(job_id=job_id, attempt=1, reason=Notice("no"))


async def test_what_is_not_taken_is_said_again():
    log = EventLog()
    log.add_event("w", failed("a"))
    log.add_event("w", failed("b"))

    first = await log.wait_beyond(0, 1)
    again = await log.wait_beyond(0, 1)

    assert first == again
    assert [entry.event.job_id for entry in first] == ["a", "b"]
    assert [entry.event.job_id for entry in log.take_until(1)] == ["a"]
    assert [entry.event.job_id for entry in await log.wait_beyond(0, 1)] == ["b"]


async def test_who_listens_wakes_when_something_comes():
    log = EventLog()
    listening = asyncio.create_task(log.wait_beyond(0, 60))
    await asyncio.sleep(0)

    log.add_event("w", failed("a"))

    assert [entry.event.job_id for entry in await listening] == ["a"]
    assert await log.wait_beyond(1, 0.01) == []


async def test_who_listens_anew_waits_for_news_though_all_was_taken():
    """A link that comes later begins at 0; without a wait it would ask without a pause."""
    log = EventLog()
    log.add_event("w", failed("a"))
    log.take_until(1)
    listening = asyncio.create_task(log.wait_beyond(0, 60))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not listening.done()

    log.add_event("w", failed("b"))

    assert [entry.event.job_id for entry in await listening] == ["b"]


async def test_a_newer_step_takes_the_place_of_an_older_with_its_preview():
    log = EventLog()
    log.add_event("w", progress("a", 1, "one.jpg"))
    log.add_event("w", progress("b", 1))
    log.add_event("w", JobsWaiting(jobs=(("c", 1),)))
    log.add_event("w", JobsWaiting(jobs=(("d", 1),)))
    log.add_event("w", progress("a", 2))

    events = [entry.event for entry in await log.wait_beyond(0, 1)]

    assert events == [progress("b", 1), JobsWaiting(jobs=(("d", 1),)), progress("a", 2, "one.jpg")]


async def test_a_step_that_was_read_stays_beside_the_next():
    log = EventLog()
    log.add_event("w", progress("a", 1))
    (entry,) = await log.wait_beyond(0, 1)

    assert await log.wait_beyond(entry.number, 0.001) == []
    log.add_event("w", progress("a", 2))

    assert [one.event.step for one in await log.wait_beyond(entry.number, 1)] == [2]


@given(st.lists(st.sampled_from(["end", "read", "answer lost", "step"]), max_size=60))
def test_no_end_is_lost_or_comes_twice_however_many_answers_are(deeds):
    async def run():
        log, seen, heard, said = EventLog(), 0, [], []
        for number, deed in enumerate([*deeds, "read"]):
            if deed == "end":
                said.append(str(number))
                log.add_event("w", failed(str(number)))
            elif deed == "step":
                log.add_event("w", progress("a", number))
            else:
                entries = await log.wait_beyond(seen, 0)
                if deed == "read":
                    heard += [entry.event for entry in entries]
                    seen = max([seen, *(entry.number for entry in entries)])
                    log.take_until(seen)
        assert [event.job_id for event in heard if isinstance(event, JobFailed)] == said

    asyncio.run(run())
