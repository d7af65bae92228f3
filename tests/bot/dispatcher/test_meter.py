from __future__ import annotations

from bot.support.metrics import MetricsSink
from tests.bot.dispatcher.conftest import until


class Notes(MetricsSink):
    def __init__(self):
        self.waits, self.steps = [], []

    def record_claim(self, waited):
        self.waits.append(waited)

    def record_steps(self, steps, rows):
        self.steps.append(steps)


async def test_waits_and_steps_are_measured(line):
    notes = line.dispatcher.metrics = Notes()
    await line.run()
    for step in (1, 3):
        line.service.progress(step, 20)
    await until(lambda: len(notes.steps) == 2)

    assert [1, 2] == notes.steps
    (wait,) = notes.waits
    assert wait.total_seconds() >= 0
