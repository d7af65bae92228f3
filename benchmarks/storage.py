"""Measure the job store on a real disk with `synchronous=FULL`.

    python -m benchmarks.storage [--folder FOLDER] [--finished N] [--queued N] [--members N]

Fills a database with finished and queued jobs, then times each operation one call after another,
as the dispatcher makes them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from storage.database import Database
from storage.jobs import JobStore
from storage.records import JobRecord, LeaseRenewal, NewJob, QueueLimits

LEASE = timedelta(seconds=60)
LIMITS = QueueLimits(per_owner=10**6, per_guild=10**6, total=10**6)
PARAMS = {"prompt": "a fox in the snow, oil on canvas " * 6, "steps": 20, "strength": 0.75}
CALLS = 2_000
HELD = 16  # jobs in a worker, whose leases are renewed together
TOGETHER = 8  # claims of one commit, as the dispatcher makes them

FILL = """
    WITH RECURSIVE number (n) AS (SELECT :first UNION ALL SELECT n + 1 FROM number WHERE n < :last)
    INSERT INTO job (id, kind, params, inputs, owner, guild, reply_to, idempotency_key, cost,
                     priority, weight, created_at)
    SELECT printf('%020d', n), kind, params, inputs, 'member-' || (n % :members), guild, reply_to,
           'request-' || n, cost, priority, weight, created_at
      FROM number, job
     WHERE id = :pattern
"""

FINISH_ALL = """
    UPDATE job
       SET state = 'done', result = '{"pictures":["' || hex(randomblob(32)) || '"]}',
           finished_at = created_at, lease_until = NULL, lease_length = NULL, delivery = 'pending'
     WHERE state = 'running'
"""

RUN_ALL = """
    UPDATE job
       SET state = 'running', attempt = 1, worker = 'gpu-0', lease_until = 0, lease_length = 1
     WHERE state = 'queued' AND id < :last
"""


def a_job(member: int, key: str) -> NewJob:
    """Return a job of the usual size, about 450 bytes of text."""
    return NewJob(
        kind="img2img",
        params=PARAMS,
        inputs={"image": "5e" * 32},
        owner=f"member-{member}",
        guild="guild",
        reply_to="channel/message/token",
        idempotency_key=key,
        cost=1.0,
    )


async def fill(
    database: Database, jobs: JobStore, finished: int, queued: int, members: int
) -> None:
    """Add so many finished and queued jobs, in few statements, all through the schema's rules."""
    for member in range(members):
        await jobs.queue.enqueue(a_job(member, f"member-{member}"), LIMITS)
    pattern = (await jobs.reader.list_outstanding())[0].id
    values = {"pattern": pattern, "members": members}
    async with database.transaction() as transaction:
        await transaction.execute(FILL, {**values, "first": 1, "last": finished})
        await transaction.execute(RUN_ALL, {"last": f"{finished + 1:020d}"})
        await transaction.execute(FINISH_ALL)
        await transaction.execute("UPDATE job SET delivery = 'sending' WHERE delivery = 'pending'")
        await transaction.execute("UPDATE job SET delivery = 'sent' WHERE delivery = 'sending'")
        last = finished + queued - members
        await transaction.execute(FILL, {**values, "first": finished + 1, "last": last})


async def timed(
    name: str, calls: int, call: Callable[[int], Awaitable[object]], each: int = 1
) -> None:
    """Print one line of the table: a second, mean, median and 99th percentile of a call.

    `each` is how many things one call does; only the rate counts them.
    """
    times = []
    for number in range(calls):
        start = time.perf_counter()
        await call(number)
        times.append(time.perf_counter() - start)
    micro = sorted(1e6 * each for each in times)
    mean, median, late = (
        statistics.mean(micro),
        micro[len(micro) // 2],
        micro[len(micro) * 99 // 100],
    )
    print(f"{name:<22}{each * 1e6 / mean:>12,.0f}{mean:>12.0f}{median:>12.0f}{late:>12.0f}")


def time_disk(folder: Path) -> None:
    """Print what the disk alone takes for a log record of 4 KiB, the floor of every commit."""
    descriptor = os.open(folder / "probe", os.O_RDWR | os.O_CREAT)
    times = []
    for number in range(500):
        os.pwrite(descriptor, b"x" * 4096, number * 4096)
        start = time.perf_counter()
        os.fdatasync(descriptor)
        times.append(1e6 * (time.perf_counter() - start))
    os.close(descriptor)
    print(f"one fdatasync of 4 KiB here: median {statistics.median(times):.0f} µs")


async def measure(folder: Path, finished: int, queued: int, members: int) -> None:
    """Fill a database and print the table."""
    start = time.perf_counter()
    async with Database(folder / "easel.db") as database:
        jobs = JobStore(database)
        await fill(database, jobs, finished, queued, members)
    size = (folder / "easel.db").stat().st_size
    print(f"filled in {time.perf_counter() - start:.1f} s; {size / 1e6:.0f} MB on disk")
    start = time.perf_counter()
    async with Database(folder / "easel.db") as database:
        print(f"opened and checked in {time.perf_counter() - start:.2f} s\n")
        await table(JobStore(database), min(CALLS, queued))


async def table(jobs: JobStore, calls: int) -> None:
    """Print the table of all operations."""
    print(f"{'operation':<22}{'a second':>12}{'mean µs':>12}{'median µs':>12}{'p99 µs':>12}")
    claimed: list[JobRecord] = []

    async def claim(number: int) -> None:
        job = await jobs.queue.claim("gpu-0", LEASE)
        assert job is not None
        claimed.append(job)

    async def claim_eight(number: int) -> None:
        claimed.extend(await jobs.queue.claim_several("gpu-0", LEASE, TOGETHER))

    async def renew(number: int) -> None:
        job = claimed[number]
        assert await jobs.queue.renew_lease(
            job.id, job.attempt, "gpu-0", LEASE, step=number, steps=calls
        )

    async def renew_together(number: int) -> None:
        jobs_of_worker = claimed[number * HELD : (number + 1) * HELD]
        renewals = [
            LeaseRenewal(id=job.id, attempt=job.attempt, step=number, steps=calls)
            for job in jobs_of_worker
        ]
        assert len(await jobs.queue.renew_leases("gpu-0", LEASE, renewals)) == HELD

    async def finish(number: int) -> None:
        job = claimed[number]
        assert await jobs.queue.finish_job(job.id, job.attempt, "gpu-0", {"pictures": ["5e" * 32]})

    await timed("claim", calls, claim)
    rounds = calls // 2 // TOGETHER
    await timed(f"claim {TOGETHER} at once", rounds, claim_eight, each=TOGETHER)
    await timed("renew", calls, renew)
    await timed(f"renew {HELD} at once", calls // HELD, renew_together, each=HELD)
    await timed("finish", calls, finish)
    await timed("begin delivery", calls, lambda n: jobs.deliveries.begin_delivery(claimed[n].id))
    await timed(
        "delivered", calls, lambda n: jobs.deliveries.mark_delivered(claimed[n].id, "message")
    )
    await timed("enqueue", calls, lambda n: jobs.queue.enqueue(a_job(n % 100, f"new-{n}"), LIMITS))
    await timed("expire, nothing late", 500, lambda n: jobs.queue.expire_leases())
    await timed("pending deliveries", 500, lambda n: jobs.deliveries.pending_deliveries())
    await timed("get", 500, lambda n: jobs.reader.get_job(claimed[n % len(claimed)].id))
    newest = (await jobs.reader.list_outstanding())[-1].id
    await timed("place, whole queue", 50, lambda n: jobs.reader.queue_position(newest))


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=None, help="a folder on the disk to measure")
    parser.add_argument("--finished", type=int, default=100_000)
    parser.add_argument("--queued", type=int, default=5_000)
    parser.add_argument("--members", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        print(
            f"SQLite {sqlite3.sqlite_version}, {asked.finished:,} finished, {asked.queued:,} queued"
        )
        time_disk(Path(folder))
        asyncio.run(measure(Path(folder), asked.finished, asked.queued, asked.members))


if __name__ == "__main__":
    main()
