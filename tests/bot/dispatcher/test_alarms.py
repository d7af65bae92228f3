from __future__ import annotations

from inference.api.messages import WorkerPaused, WorkerRecovered
from tests.bot.dispatcher.conftest import until


async def test_a_worker_that_rests_and_comes_back_is_told_to_the_host(line):
    told = []
    line.dispatcher.host_alert = told.append

    line.service._say(WorkerPaused(worker="worker0", reason="it keeps ending", seconds=600.0))
    line.service._say(WorkerRecovered(worker="worker0"))
    await until(lambda: len(told) == 2)

    assert "worker0 takes no jobs for 10 min: it keeps ending" in told[0]
    assert "worker0 does jobs again." == told[1]
