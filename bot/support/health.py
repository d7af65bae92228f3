"""What a running bot says of itself in its data directory, and whether that is healthy.

Stdlib only: container engines run the check twice a minute.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

#: In the data directory of a bot that runs.
HEALTH_REPORT_FILE = "health.json"
REPORT_INTERVAL_SECONDS = 15.0
MAX_REPORT_AGE_SECONDS = 60.0
#: That Discord may be gone before a new start is worth a try.
MAX_DISCORD_ABSENCE_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class HealthReport:
    """How a bot is at one moment."""

    #: When: seconds since 1970, UTC.
    time: float
    version: str
    pid: int
    #: From a heartbeat to Discord's answer; None while there was none.
    gateway_latency_seconds: float | None
    #: For how long Discord has been gone; 0 while it is there.
    discord_absence_seconds: float
    #: By how much the event loop was late at worst since the last report.
    loop_lag_seconds: float
    workers: int
    ready_workers: int
    #: None while the database does not answer.
    waiting_jobs: int | None
    #: Of the job that has waited longest; 0 where none waits.
    oldest_wait_seconds: float | None
    #: On the disk of the data directory.
    free_disk_bytes: int
    #: Loops whose last round failed, and what with.
    failing_loops: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HealthVerdict:
    """Whether a bot is healthy, and why."""

    is_healthy: bool
    #: One line.
    words: str


class UnreadableReport(Exception):
    """There is no report that could be read."""


def write_report(path: Path, report: HealthReport) -> None:
    """Put a report into the place of the last; a reader sees one of them whole.

    Raises:
        OSError: the disk takes no writing.
    """
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(asdict(report), allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)


def read_report(path: Path) -> HealthReport:
    """Read a report; what a newer version added to it is left out.

    Raises:
        UnreadableReport: none is there, or it is damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known = {item.name for item in fields(HealthReport)}
        report = HealthReport(**{name: value for name, value in content.items() if name in known})
        if not all(math.isfinite(value) for value in (report.time, report.discord_absence_seconds)):
            raise ValueError("a number is none")
    except FileNotFoundError as error:
        raise UnreadableReport(
            f"there is no {path}: the bot does not run on this data directory"
        ) from error
    except OSError as error:
        raise UnreadableReport(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise UnreadableReport(f"{path} is damaged ({error})") from error
    return report


def remove_report(path: Path) -> None:
    """Remove the report of a bot that ended."""
    for leftover in (path, path.with_name(path.name + ".partial")):
        try:
            os.unlink(leftover)  # noqa: PTH108 - the same for a file that is gone
        except OSError:
            continue


def judge_report(report: HealthReport, current_time: float) -> HealthVerdict:
    """Say whether a bot that reported so is healthy at `current_time`, seconds since 1970."""
    age = current_time - report.time
    if abs(age) > MAX_REPORT_AGE_SECONDS:
        side = "old" if age > 0 else "ahead of the clock"
        return HealthVerdict(
            False,
            f"the last report is {abs(age):.0f} s {side}: the bot hangs, was killed, or cannot "
            "write to its disk; its log tells more",
        )
    if report.discord_absence_seconds > MAX_DISCORD_ABSENCE_SECONDS:
        return HealthVerdict(
            False,
            f"Discord has been gone for {report.discord_absence_seconds:.0f} s: look at the "
            "network and https://discordstatus.com",
        )
    return HealthVerdict(True, describe_report(report))


def describe_report(report: HealthReport) -> str:
    """Say in one line how a bot is."""
    latency = report.gateway_latency_seconds
    parts = [
        f"Discord gone for {report.discord_absence_seconds:.0f} s"
        if report.discord_absence_seconds
        else "Discord is there"
        if latency is None
        else f"Discord answers in {1000 * latency:.0f} ms",
        f"{report.ready_workers} of {report.workers} workers ready",
        _describe_queue(report),
        f"{report.free_disk_bytes / 2**30:.1f} GiB free",
        f"Easel {report.version}",
    ]
    if report.failing_loops:
        parts.append(f"failing loops: {', '.join(sorted(report.failing_loops))} (see doctor)")
    return "; ".join(parts)


def _describe_queue(report: HealthReport) -> str:
    if report.waiting_jobs is None:
        return "the database does not answer"
    if not report.waiting_jobs:
        return "no job waits"
    return (
        f"jobs waiting: {report.waiting_jobs}, the longest {report.oldest_wait_seconds or 0:.0f} s"
    )


def check_health(data_dir: Path, current_time: float) -> HealthVerdict:
    """Read what the bot on a data directory says of itself, and judge it."""
    try:
        return judge_report(read_report(data_dir / HEALTH_REPORT_FILE), current_time)
    except UnreadableReport as error:
        return HealthVerdict(False, str(error))
