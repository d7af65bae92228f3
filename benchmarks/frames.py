"""What one step of one job costs the bot: its frame decoded, and its event handled.

`python -m benchmarks frames`. Each figure is also given as a multiple of what `json.loads` takes
for the same frame in the same run, which machines and neighbours change less. Events come from one
of many workers, of 16 jobs each; leases are not renewed meanwhile, which `storage` measures.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import timeit
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

from benchmarks.table import show
from bot.dispatcher.event_handler import InFlightJobs, WorkerEventHandler
from bot.support.metrics import MetricsSink
from inference.api import wire
from inference.api.messages import JobProgress, JobsWaiting
from storage.records import DeliveryState, JobRecord, JobState

JOBS_OF_WORKER = 16
JOB_COUNTS = (16, 256, 1024)
ROUNDS, CALLS = 60, 200


def main() -> None:
    """Measure and print the table."""
    event = _progress(0, 3)
    body = wire.encode_message(event)[wire.FRAME_HEADER.size :]
    waiting = JobsWaiting(jobs=tuple((_job_id(n), 1) for n in range(1, JOBS_OF_WORKER)))
    waiting_body = wire.encode_message(waiting)[wire.FRAME_HEADER.size :]
    bare = _microseconds(lambda: json.loads(body))
    rows: list[tuple[str, float, float]] = [("json.loads of a progress", bare, 1.0)]
    for name, decoded_body in (("a progress", body), ("15 jobs that wait", waiting_body)):
        seconds = _microseconds(lambda frame=decoded_body: wire.decode_message(frame))  # type: ignore[misc]
        rows.append((f"decoding {name}", seconds, seconds / bare))
    for job_count in JOB_COUNTS:
        seconds = asyncio.run(_handle_progress(job_count))
        rows.append((f"handling a progress, {job_count} jobs in hand", seconds, seconds / bare))
    show("One step", ("what", "µs", "by json.loads"), rows)


def _microseconds(call: Callable[[], object]) -> float:
    return min(timeit.repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS * 1e6


async def _handle_progress(job_count: int) -> float:
    """Take the microseconds of an event while so many jobs are in hand; the best of some rounds."""
    in_flight = InFlightJobs()
    handler = WorkerEventHandler(
        Mock(),
        Mock(),
        Mock(),
        in_flight,
        lease=timedelta(hours=1),
        renew_seconds=3600,
        listeners=(),
        learn_from_job=Mock(),
        host_alert=Mock(),
        metrics=MetricsSink(),
    )
    for number in range(job_count):
        in_flight.add_job(_record(number), _worker(number))
    steps = itertools.count()
    times = []
    for _ in range(ROUNDS):
        start = timeit.default_timer()
        for _ in range(CALLS):
            number = next(steps) % JOBS_OF_WORKER
            await handler.handle_event(_worker(number), _progress(number, 3))
        times.append(timeit.default_timer() - start)
    return min(times) / CALLS * 1e6


def _worker(number: int) -> str:
    return f"worker-{number // JOBS_OF_WORKER}"


def _job_id(number: int) -> str:
    return f"{number:020d}"


def _progress(number: int, step: int) -> JobProgress:
    return JobProgress(
        job_id=_job_id(number),
        attempt=1,
        step=step,
        steps=20,
        preview="/var/lib/easel/outbox/worker-0/preview-00000000000000000000.jpg",
        rows=4,
        flops=1.5e12,
        gpu_seconds=0.25,
    )


def _record(number: int) -> JobRecord:
    values: dict[str, Any] = {
        name: None
        for name in JobRecord.__dataclass_fields__
        if JobRecord.__dataclass_fields__[name].default.__class__.__name__ == "_MISSING_TYPE"
    }
    values |= {"id": _job_id(number), "attempt": 1, "idempotency_key": f"request-{number}"}
    values |= {"state": JobState.RUNNING, "delivery": DeliveryState.NONE}
    values |= {"created_at": datetime(2026, 1, 1, tzinfo=UTC)}
    return JobRecord(**values)


if __name__ == "__main__":
    main()
