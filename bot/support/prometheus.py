"""Metrics for Prometheus on this machine alone, when the host asked for them."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from bot.errors import SettingsError
from bot.support.health import HealthReport
from bot.support.metrics import MetricsSink
from storage.jobs import JobStore

log = logging.getLogger(__name__)

LOOPBACK_ADDRESS = "127.0.0.1"
LAG_CHECK_SECONDS = 0.25  # seconds between two looks at the event loop
CHECKS_PER_COUNT = 20  # looks between two counts of the jobs
WAIT_BUCKETS_SECONDS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
LAG_BUCKETS_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class PrometheusMetrics(MetricsSink):
    """Keeps what Prometheus reads."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._jobs = Gauge("easel_jobs", "Jobs by state", ["state"], registry=registry)
        self._wait = Histogram(
            "easel_wait_seconds",
            "From asked to claimed",
            buckets=WAIT_BUCKETS_SECONDS,
            registry=registry,
        )
        self._steps = Counter("easel_steps", "Steps that jobs came further", registry=registry)
        self._rows = Histogram(
            "easel_batch_rows",
            "Rows of the network call a step sat in",
            buckets=(1, 2, 3, 4, 6, 8, 12, 16),
            registry=registry,
        )
        self._announced = Counter(
            "easel_deliveries", "Announcements by outcome", ["outcome"], registry=registry
        )
        self._lag = Histogram(
            "easel_loop_lag_seconds",
            "How late the event loop was",
            buckets=LAG_BUCKETS_SECONDS,
            registry=registry,
        )

        self._add_health_gauges(registry)

    def _add_health_gauges(self, registry: CollectorRegistry) -> None:
        self._version = Gauge("easel_build_info", "1", ["version"], registry=registry)
        self._workers = Gauge("easel_workers", "Worker processes", registry=registry)
        self._ready = Gauge("easel_workers_ready", "Workers that take jobs", registry=registry)
        self._latency = Gauge(
            "easel_gateway_latency_seconds",
            "From a heartbeat to Discord's answer; NaN before the first",
            registry=registry,
        )
        self._absence = Gauge(
            "easel_discord_absence_seconds", "For how long Discord is gone", registry=registry
        )
        self._oldest_wait = Gauge(
            "easel_oldest_wait_seconds",
            "Of the job that has waited longest; NaN while the database does not answer",
            registry=registry,
        )
        self._free_disk = Gauge(
            "easel_free_disk_bytes", "On the disk of the data directory", registry=registry
        )
        self._failing_loops = Gauge(
            "easel_failing_loops", "Loops whose last round failed", registry=registry
        )

    def record_claim(self, wait_time: timedelta) -> None:
        """Note that a job left the queue, and how long it had waited."""
        self._wait.observe(max(0.0, wait_time.total_seconds()))

    def record_steps(self, steps: int, rows: int) -> None:
        """Note that a job came so many steps further, the last in a call of so many rows."""
        self._steps.inc(max(0, steps))
        if rows:
            self._rows.observe(rows)

    def record_announcement(self, outcome: str) -> None:
        """Note how an announcement ended."""
        self._announced.labels(outcome).inc()

    def record_job_counts(self, jobs: Mapping[str, int]) -> None:
        """Note how many jobs are in each state."""
        for state, number in jobs.items():
            self._jobs.labels(state).set(number)

    def record_loop_lag(self, seconds: float) -> None:
        """Note by how much the event loop was late."""
        self._lag.observe(max(0.0, seconds))

    def record_health(self, report: HealthReport) -> None:
        """Note how the bot is."""
        self._version.labels(report.version).set(1)
        self._workers.set(report.workers)
        self._ready.set(report.ready_workers)
        self._absence.set(report.discord_absence_seconds)
        self._free_disk.set(report.free_disk_bytes)
        self._failing_loops.set(len(report.failing_loops))
        for gauge, value in (
            (self._latency, report.gateway_latency_seconds),
            (self._oldest_wait, report.oldest_wait_seconds),
        ):
            gauge.set(math.nan if value is None else value)


@asynccontextmanager
async def serve_metrics(port: int, jobs: JobStore) -> AsyncIterator[MetricsSink]:
    """Serve metrics to this machine while open; port 0 takes any free one, which the log tells.

    Raises:
        SettingsError: the port is taken.
    """
    metrics = PrometheusMetrics()
    try:
        server, thread = start_http_server(port, LOOPBACK_ADDRESS, metrics.registry)
    except OSError as error:
        raise SettingsError(f"EASEL_METRICS_PORT: port {port} cannot be used: {error}.") from error
    log.info("Metrics: http://%s:%d/metrics", LOOPBACK_ADDRESS, server.server_port)
    watching = asyncio.create_task(_measure_repeatedly(metrics, jobs), name="metrics")
    try:
        yield metrics
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()


async def _measure_repeatedly(metrics: MetricsSink, jobs: JobStore) -> None:
    loop = asyncio.get_running_loop()
    check_count = 0
    while True:
        if check_count % CHECKS_PER_COUNT == 0:
            try:
                counts = await jobs.reader.count_by_state()
                metrics.record_job_counts({str(state): number for state, number in counts.items()})
            except Exception:
                log.warning("The jobs could not be counted.", exc_info=True)
        check_count += 1
        due = loop.time() + LAG_CHECK_SECONDS
        await asyncio.sleep(LAG_CHECK_SECONDS)
        metrics.record_loop_lag(loop.time() - due)
