"""A process killed while it commits loses nothing that it had acknowledged."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from storage.database import Database
from storage.jobs import JobStore
from storage.records import DeliveryState, JobState

COMMITTER = """
import asyncio, sys
from storage.database import Database
from storage.jobs import JobStore
from tests.storage.factories import LEASE, ROOMY, make_job

async def member(jobs, name):
    for number in range(10**6):
        job = make_job(owner=name, idempotency_key=f"{sys.argv[2]}-{name}-{number}")
        queued, _ = await jobs.queue.enqueue(job, ROOMY)
        print("queued", queued.id, flush=True)

async def worker(jobs, name):
    while True:
        job = await jobs.queue.claim(name, LEASE)
        if job is None:
            await asyncio.sleep(0)
            continue
        print("running", job.id, flush=True)
        if await jobs.queue.finish_job(job.id, job.attempt, name, {"by": name}):
            print("done", job.id, flush=True)
        if await jobs.deliveries.begin_delivery(job.id):
            await jobs.deliveries.mark_delivered(job.id, name)
            print("sent", job.id, flush=True)

async def main():
    async with Database(sys.argv[1]) as database, asyncio.TaskGroup() as group:
        jobs = JobStore(database)
        await jobs.queue.recover_jobs()
        for name in ("ada", "bob"):
            group.create_task(member(jobs, name))
            group.create_task(worker(jobs, f"gpu-{name}"))

asyncio.run(main())
"""

RANK = ["queued", "running", "done", "sent"]


def run_until_killed(path, run, lines):
    """Return what was acknowledged: each job's furthest event."""
    acknowledged = {}
    with subprocess.Popen(
        [sys.executable, "-c", COMMITTER, str(path), str(run)], stdout=subprocess.PIPE, text=True
    ) as process:
        for count, line in enumerate(process.stdout, start=1):
            if count == lines:
                process.kill()
            if line.endswith("\n"):
                event, id = line.split()
                acknowledged[id] = event
    assert process.returncode == -9
    return acknowledged


async def kill_and_look(tmp_path, rounds):
    path, known = tmp_path / "easel.db", {}
    for run in range(rounds):
        known |= run_until_killed(path, run, random.randrange(1, 200))
        async with Database(path) as database:
            await check(JobStore(database), database, known)
    return known


async def check(jobs, database, known):
    await jobs.queue.recover_jobs()
    rows = {row["id"]: row for row in await database.fetch_all("SELECT * FROM job")}
    for id, event in known.items():
        row = rows[id]
        if event in ("done", "sent"):
            assert row["state"] == JobState.DONE
        if event == "sent":
            assert row["delivery"] == DeliveryState.SENT
    states = [row["state"] for row in rows.values()]
    assert {state: states.count(state) for state in JobState} == await jobs.reader.count_by_state()
    assert JobState.RUNNING not in states


async def test_nothing_acknowledged_is_lost_to_a_kill(tmp_path):
    assert await kill_and_look(tmp_path, rounds=3)


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_to_many_kills(tmp_path):
    known = await kill_and_look(tmp_path, rounds=25)

    assert len(known) > 100
