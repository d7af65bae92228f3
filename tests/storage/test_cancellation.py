from __future__ import annotations

import asyncio

import pytest

from storage.cancellation import finish_even_if_cancelled


async def test_the_result_and_the_error_come_through():
    async def succeed():
        return 5

    async def fail():
        raise LookupError("no")

    assert await finish_even_if_cancelled(succeed()) == 5
    with pytest.raises(LookupError):
        await finish_even_if_cancelled(fail())


@pytest.mark.parametrize("fails", [False, True])
async def test_work_runs_to_its_end_however_often_the_caller_is_cancelled(fails):
    started, may_end, ended = asyncio.Event(), asyncio.Event(), []

    async def work():
        started.set()
        await may_end.wait()
        ended.append(True)
        if fails:
            raise LookupError("no")

    caller = asyncio.create_task(finish_even_if_cancelled(work()))
    await started.wait()
    for _ in range(3):
        caller.cancel()
        await asyncio.sleep(0)
    assert not caller.done()
    may_end.set()

    with pytest.raises(asyncio.CancelledError) as caught:
        await caller
    assert ended == [True]
    assert isinstance(caught.value.__cause__, LookupError) == fails


async def test_work_cancelled_from_outside_is_cancelled():
    async def work():
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    with pytest.raises(asyncio.CancelledError):
        await finish_even_if_cancelled(work())


async def test_work_and_caller_cancelled_together_end_together():
    inner = []

    async def work():
        inner.append(asyncio.current_task())
        await asyncio.Event().wait()

    caller = asyncio.create_task(finish_even_if_cancelled(work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    caller.cancel()
    inner[0].cancel()

    with pytest.raises(asyncio.CancelledError):
        await caller
