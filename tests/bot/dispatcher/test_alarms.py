from __future__ import annotations

from inference.api.messages import WorkerPaused, WorkerRecovered
from tests.bot.dispatcher.conftest import until


async def test_a_worker_that_rests_and_comes_back_is_told_to_the_host(line):
    line.service.send_event(WorkerPaused(worker="worker0", reason="it keeps ending", seconds=600.0))
    line.service.send_event(WorkerRecovered(worker="worker0"))
    await until(lambda: len(line.alerts) == 2)

    assert "worker0 takes no jobs for 10 min: it keeps ending" in line.alerts[0]
    assert line.alerts[1] == "worker0 does jobs again."
