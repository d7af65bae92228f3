from __future__ import annotations

from tests.bot.dispatcher.conftest import until


async def test_waits_and_steps_are_measured(line):
    await line.run()
    for step in (1, 3):
        line.service.progress(step, 20)
    await until(lambda: len(line.metrics.steps) == 2)

    assert line.metrics.steps == [1, 2]
    (wait,) = line.metrics.waits
    assert wait.total_seconds() >= 0
