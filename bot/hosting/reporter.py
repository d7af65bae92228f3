"""Writes the running bot's health into its data directory, and tells the service manager."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from discord.ext import commands

from bot.hosting.systemd import ServiceNotifier
from bot.support.health import (
    HEALTH_REPORT_FILE,
    REPORT_INTERVAL_SECONDS,
    HealthReport,
    describe_report,
    remove_report,
    write_report,
)
from bot.support.loops import LoopHealth
from bot.support.metrics import MetricsSink
from bot.support.version import find_version
from inference.api.workers import WorkerPool
from storage.errors import StorageError
from storage.jobs import JobStore
from storage.records import QueueWait

log = logging.getLogger(__name__)

LAG_CHECK_SECONDS = 1.0  # seconds between two looks at the event loop
#: A backup or another reader may hold the database for long; the report does not wait for it.
QUEUE_TIMEOUT_SECONDS = 10.0


class GatewayWatch:
    """Knows for how long a part of Discord's gateway has been gone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._gone_shards: set[int] = set()
        self._gone_since: float | None = clock()  # it was never there yet

    def watch_client(self, client: commands.AutoShardedBot) -> None:
        """Hear what the client says of its shards."""
        for event, listener in (
            ("on_shard_connect", self._mark_connected),
            ("on_shard_resumed", self._mark_connected),
            ("on_shard_disconnect", self._mark_disconnected),
        ):
            client.add_listener(listener, event)

    def absence_seconds(self) -> float:
        """Return for how long it has been gone; 0 while it is there."""
        return 0.0 if self._gone_since is None else max(0.0, self._clock() - self._gone_since)

    async def _mark_connected(self, shard_id: int) -> None:
        self._gone_shards.discard(shard_id)
        if not self._gone_shards:
            self._gone_since = None

    async def _mark_disconnected(self, shard_id: int) -> None:
        self._gone_shards.add(shard_id)
        if self._gone_since is None:
            self._gone_since = self._clock()


class HealthReporter:
    """Reports for as long as it is open.

    Args:
        client: the bot, not yet connected.
        data_dir: where the report goes.
        jobs: whose queue is looked at.
        workers: of which the ready ones are counted.
        loops: which of them fail.
        metrics: what else wants to know.
        notifier: the service manager.
        interval_seconds: between two reports.
    """

    def __init__(
        self,
        client: commands.AutoShardedBot,
        data_dir: Path,
        jobs: JobStore,
        workers: WorkerPool,
        loops: LoopHealth,
        metrics: MetricsSink,
        notifier: ServiceNotifier,
        interval_seconds: float = REPORT_INTERVAL_SECONDS,
    ) -> None:
        self._client = client
        self._path = data_dir / HEALTH_REPORT_FILE
        self._jobs = jobs
        self._workers = workers
        self._loops = loops
        self._metrics = metrics
        self._notifier = notifier
        self._interval_seconds = interval_seconds
        self._version = find_version()
        self._gateway = GatewayWatch()
        self._gateway.watch_client(client)
        client.add_listener(self._notify_ready, "on_ready")
        self._loop_lag = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(remove_report, self._path)  # of a bot that was killed
        self._tasks = [
            asyncio.create_task(self._report_repeatedly(), name="report health"),
            asyncio.create_task(self._measure_lag(), name="measure the loop"),
        ]
        if self._notifier.ping_interval_seconds is not None:
            pinging = self._ping_watchdog(self._notifier.ping_interval_seconds)
            self._tasks.append(asyncio.create_task(pinging, name="ping the watchdog"))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(remove_report, self._path)

    async def take_report(self) -> HealthReport:
        """Look at everything once."""
        wait = await self._read_queue()
        disk = await asyncio.to_thread(shutil.disk_usage, self._path.parent)
        statuses = self._workers.worker_statuses
        latency = self._client.latency
        lag, self._loop_lag = self._loop_lag, 0.0
        return HealthReport(
            time=time.time(),
            version=self._version,
            pid=os.getpid(),
            gateway_latency_seconds=latency if math.isfinite(latency) else None,
            discord_absence_seconds=self._gateway.absence_seconds(),
            loop_lag_seconds=lag,
            workers=len(statuses),
            ready_workers=sum(status.ready for status in statuses),
            waiting_jobs=None if wait is None else wait.jobs,
            oldest_wait_seconds=None if wait is None else wait.longest.total_seconds(),
            free_disk_bytes=disk.free,
            failing_loops={name: failure.error for name, failure in self._loops.failing.items()},
        )

    async def _read_queue(self) -> QueueWait | None:
        try:
            return await asyncio.wait_for(self._jobs.reader.queue_wait(), QUEUE_TIMEOUT_SECONDS)
        except (StorageError, TimeoutError):
            return None

    async def _report_repeatedly(self) -> None:
        while True:
            try:
                report = await self.take_report()
                self._metrics.record_health(report)
                self._notifier.show_status(describe_report(report))
                await asyncio.to_thread(write_report, self._path, report)
            except Exception:
                log.warning("The health could not be reported.", exc_info=True)
            await asyncio.sleep(self._interval_seconds)

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_CHECK_SECONDS
            await asyncio.sleep(LAG_CHECK_SECONDS)
            self._loop_lag = max(self._loop_lag, loop.time() - due)

    async def _ping_watchdog(self, interval_seconds: float) -> None:
        while True:
            self._notifier.ping_watchdog()
            await asyncio.sleep(interval_seconds)

    async def _notify_ready(self) -> None:
        self._notifier.notify_ready()
