"""The look for results that did not get through outlives whatever it awaits."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from bot.delivery import ResultDelivery
from bot.delivery import delivery as module
from bot.dispatcher.protocols import plain_wait
from bot.support.loops import LoopHealth
from bot.support.metrics import MetricsSink
from tests.bot.dispatcher.conftest import until


class Deliveries:
    """A store that fails so often at one question, then has nothing to deliver."""

    def __init__(self, question: str, error: BaseException, times: int) -> None:
        self.question, self.error, self.times = question, error, times
        self.asked = 0

    async def _ask(self, question: str) -> list[object]:
        if question == self.question and self.times:
            self.times -= 1
            raise self.error
        self.asked += question == "pending"
        return []

    async def interrupted_deliveries(self) -> list[object]:
        return await self._ask("interrupted")

    async def pending_deliveries(self) -> list[object]:
        return await self._ask("pending")


@pytest.mark.parametrize("times", [1, 5])
@pytest.mark.parametrize("question", ["interrupted", "pending"])
@pytest.mark.parametrize(
    "error", [RuntimeError("odd"), asyncio.CancelledError()], ids=lambda error: type(error).__name__
)
async def test_the_sweep_outlives_whatever_it_awaits(monkeypatch, question, error, times):
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.001)
    store, health = Deliveries(question, error, times), LoopHealth()
    jobs = SimpleNamespace(deliveries=store)
    nothing = SimpleNamespace()
    delivery = ResultDelivery(
        jobs, nothing, nothing, nothing, nothing, nothing, MetricsSink(), health=health
    )

    delivery.start(plain_wait)
    await until(lambda: store.asked >= 3)

    assert store.times == 0
    assert health.failing == {}
    await delivery.stop(0)
