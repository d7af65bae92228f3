"""What is measured while Easel runs; where nobody asked, these calls do nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from bot.support.health import HealthReport


class MetricsSink:
    """Takes notes of nothing."""

    def record_claim(self, wait_time: timedelta) -> None:
        """Note that a job left the queue, and how long it had waited."""

    def record_steps(self, steps: int, rows: int) -> None:
        """Note that a job came so many steps further, the last in a call of so many rows."""

    def record_announcement(self, outcome: str) -> None:
        """Note how an announcement ended: `sent`, `undelivered` or `postponed`."""

    def record_job_counts(self, jobs: Mapping[str, int]) -> None:
        """Note how many jobs are in each state."""

    def record_loop_lag(self, seconds: float) -> None:
        """Note by how much the event loop was late."""

    def record_health(self, report: HealthReport) -> None:
        """Note how the bot is."""
