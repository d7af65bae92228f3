from __future__ import annotations

import asyncio
import json
import math
import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest

from bot.hosting.reporter import GatewayWatch, HealthReporter
from bot.hosting.systemd import ServiceNotifier
from bot.support.health import HEALTH_REPORT_FILE, read_report
from bot.support.loops import LoopFailure, LoopHealth
from bot.support.metrics import MetricsSink
from storage.errors import DiskFull
from storage.records import QueueWait
from tests.patience import PATIENCE


class Client:
    """As much of a Discord client as is looked at."""

    def __init__(self) -> None:
        self.latency = math.nan
        self.listeners: dict[str, list] = {}

    def add_listener(self, listener, event) -> None:
        self.listeners.setdefault(event, []).append(listener)

    async def tell(self, event, *arguments) -> None:
        for listener in self.listeners.get(event, ()):
            await listener(*arguments)


class Notes(MetricsSink):
    def __init__(self) -> None:
        self.reports = []

    def record_health(self, report) -> None:
        self.reports.append(report)


class Reader:
    """A queue that answers as it is told."""

    def __init__(self) -> None:
        self.answer: QueueWait | Exception = QueueWait(jobs=3, longest=timedelta(seconds=12))

    async def queue_wait(self) -> QueueWait:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def parts(tmp_path):
    return SimpleNamespace(
        client=Client(),
        data_dir=tmp_path,
        jobs=SimpleNamespace(reader=Reader()),
        workers=SimpleNamespace(
            worker_statuses=(SimpleNamespace(ready=True), SimpleNamespace(ready=False))
        ),
        loops=LoopHealth(),
        metrics=Notes(),
        notifier=ServiceNotifier(),
    )


def reporter_of(parts, interval_seconds=0.01) -> HealthReporter:
    return HealthReporter(**vars(parts), interval_seconds=interval_seconds)


async def test_everything_is_looked_at(parts):
    reporter = reporter_of(parts)
    parts.client.latency = 0.05
    parts.loops.failing["claim"] = LoopFailure(1, "now", "ValueError: x")
    await parts.client.tell("on_shard_connect", 0)

    report = await reporter.take_report()

    assert (report.workers, report.ready_workers) == (2, 1)
    assert (report.waiting_jobs, report.oldest_wait_seconds) == (3, 12.0)
    assert (report.gateway_latency_seconds, report.discord_absence_seconds) == (0.05, 0.0)
    assert report.failing_loops == {"claim": "ValueError: x"}
    assert report.free_disk_bytes > 0


async def test_a_database_that_does_not_answer_keeps_no_report_back(parts, monkeypatch):
    reporter = reporter_of(parts)
    parts.jobs.reader.answer = DiskFull()
    assert (await reporter.take_report()).waiting_jobs is None

    monkeypatch.setattr("bot.hosting.reporter.QUEUE_TIMEOUT_SECONDS", 0.01)
    monkeypatch.setattr(parts.jobs.reader, "queue_wait", asyncio.Event().wait)
    assert (await reporter.take_report()).waiting_jobs is None


async def test_reports_are_written_again_and_again_and_end_with_the_bot(parts):
    path = parts.data_dir / HEALTH_REPORT_FILE
    path.write_text("of a bot that was killed")
    async with reporter_of(parts):
        while len(parts.metrics.reports) < 3:  # noqa: ASYNC110 - written by its own task
            await asyncio.sleep(0.01)
        written = read_report(path)
        assert written.time >= parts.metrics.reports[0].time
        json.loads(path.read_text())

    assert not path.exists()


async def test_a_report_that_fails_is_tried_again(parts, monkeypatch):
    errors = [OSError(28, "No space left on device"), ValueError("x")]
    is_written = threading.Event()

    def fail_at_first(path, report):
        if errors:
            raise errors.pop()
        is_written.set()

    monkeypatch.setattr("bot.hosting.reporter.write_report", fail_at_first)
    async with reporter_of(parts):
        assert await asyncio.to_thread(is_written.wait, PATIENCE)


async def test_discord_is_gone_until_it_came_and_while_a_part_of_it_is(parts):
    moment = 100.0
    watch = GatewayWatch(lambda: moment)
    watch.watch_client(parts.client)
    moment = 107.0
    assert watch.absence_seconds() == 7.0

    await parts.client.tell("on_shard_connect", 0)
    await parts.client.tell("on_shard_connect", 1)
    assert watch.absence_seconds() == 0.0

    await parts.client.tell("on_shard_disconnect", 0)
    moment = 110.0
    await parts.client.tell("on_shard_disconnect", 1)
    await parts.client.tell("on_shard_resumed", 0)
    moment = 112.0
    assert watch.absence_seconds() == 5.0

    await parts.client.tell("on_shard_connect", 1)
    assert watch.absence_seconds() == 0.0
