"""One job that ends every worker it runs in is found, and costs no other job an attempt."""

from __future__ import annotations

import asyncio
import math
import random
from datetime import timedelta

import pytest

from inference.api.errors import NoWorker
from inference.api.jobs import Img2ImgJob
from inference.api.messages import JobCancelled, JobFinished, JobProgress, JobsWaiting, WorkerLost
from inference.api.notices import Notice, read_notice
from inference.api.workers.protocol import WorkerStatus
from storage.records import JobState
from tests.bot.dispatcher.conftest import PATIENCE, Line, at_pace, until

INNOCENTS = 15
POISON = "poison"
#: Deaths until a poisoned job among so many is alone, and three of it alone.
MOST_DEATHS = math.ceil(math.log2(INNOCENTS + 1)) + 3


class MortalPool:
    """Workers that do their jobs in any order, and end, or hang, at a poisoned one."""

    def __init__(self, count: int, capacity: int, seed: int, *, hangs: bool = False) -> None:
        self.capacity = capacity
        self.held = {f"w{number}": {} for number in range(count)}
        #: The poisoned jobs that were ever handed over.
        self.poisons: set[str] = set()
        #: Who was in a worker each time that one ended.
        self.deaths: list[set[str]] = []
        #: The most jobs that a worker ever held without a poisoned one.
        self.most_together = 0
        self._hangs = hangs
        self._hung: set[str] = set()
        self._random = random.Random(seed)
        self._events: asyncio.Queue = asyncio.Queue()

    @property
    def worker_statuses(self):
        return tuple(
            WorkerStatus(name=name, ready=True, held=len(jobs), capacity=self.capacity)
            for name, jobs in self.held.items()
        )

    def free_worker(self):
        name = min(self.held, key=lambda name: len(self.held[name]))
        return name if len(self.held[name]) < self.capacity else None

    async def submit_job(self, worker, submission):
        if worker not in self.held:
            raise NoWorker
        self.held[worker][submission.job_id] = submission.attempt
        if submission.params["prompt"] == POISON:
            self.poisons.add(submission.job_id)

    async def cancel_job(self, worker, job_id, attempt, *, keep=False):
        if self.held.get(worker, {}).pop(job_id, None) is not None:
            self._say(worker, JobCancelled(job_id=job_id, attempt=attempt))

    async def kill_worker(self, worker):
        self._end(worker)

    async def next_event(self):
        return await self._events.get()

    async def work(self):
        """Let time pass, turn by turn."""
        while True:
            await asyncio.sleep(0.004)
            busy = [name for name, jobs in self.held.items() if jobs and name not in self._hung]
            for worker in busy:
                self._take_turn(worker)

    def _take_turn(self, worker):
        jobs = self.held[worker]
        if not self.poisons & set(jobs):
            self.most_together = max(self.most_together, len(jobs))
        job_id = self._random.choice(sorted(jobs))
        if job_id in self.poisons and self._hangs:
            self._hung.add(worker)
        elif job_id in self.poisons:
            self._end(worker)
        elif self._random.random() < 0.5:
            self._say(worker, JobProgress(job_id=job_id, attempt=jobs[job_id], step=1, steps=2))
            self._say(worker, JobsWaiting(jobs=tuple(jobs.items())))
        else:
            self._say(worker, JobFinished(job_id=job_id, attempt=jobs.pop(job_id), images=()))

    def _end(self, worker):
        jobs = self.held.pop(worker, None)
        if jobs is None:
            return
        self.deaths.append(set(jobs))
        reason = Notice("worker.lost", why=Notice("worker.killed", signal=9))
        self._say(worker, WorkerLost(worker=worker, reason=reason, jobs=tuple(jobs.items())))
        self.held[worker + "'"] = {}

    def _say(self, worker, event):
        self._events.put_nowait((worker, event))


async def run_with_poison(
    line: Line, pool: MortalPool, seed: int, poisons: int = 1, *, all_wait: bool = False
):
    """Queue innocents and poisoned jobs in any order, run them all, and return their records."""
    chance = random.Random(seed)
    line = Line(line.database, line.folder, line.lease, line.timing, pool)
    prompts = ["a fox"] * INNOCENTS + [POISON] * poisons
    chance.shuffle(prompts)
    first = len(prompts) - 1 if all_wait or chance.random() < 0.5 else len(prompts) // 2
    working = asyncio.create_task(pool.work())
    ids = {}
    for number, prompt in enumerate(prompts):
        owner, job = chance.choice(["ada", "bob", "cy"]), Img2ImgJob(prompt=prompt)
        ids[(await line.submit(owner=owner, job=job)).record.id] = prompt
        if number == first:
            line.dispatcher.start()
    await until(lambda: len(line.witness.settlements) >= len(prompts))
    working.cancel()
    await line.dispatcher.stop(0)
    records = [await line.jobs.reader.get_job(id) for id in ids]
    return (
        [record for record in records if ids[record.id] != POISON],
        [record for record in records if ids[record.id] == POISON],
    )


def assert_only_the_poison_fell(innocents, poisons):
    assert {(record.state, record.strikes) for record in innocents} == {(JobState.DONE, 0)}
    assert {(record.state, record.strikes) for record in poisons} == {(JobState.FAILED, 3)}
    words = {str(read_notice(record.error)) for record in poisons}
    assert all(text.startswith("Given up after 3 attempts: ") for text in words)


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("capacity", [16, 5])
@pytest.mark.parametrize("seed", range(4))
async def test_a_poisoned_job_falls_alone(idle_line, workers, capacity, seed):
    pool = MortalPool(workers, capacity, seed)

    innocents, poisons = await run_with_poison(idle_line, pool, seed)

    assert_only_the_poison_fell(innocents, poisons)
    assert len(pool.deaths) <= MOST_DEATHS
    assert [len(jobs) for jobs in pool.deaths[-3:]] == [1, 1, 1]
    rows = await idle_line.jobs.queue._database.fetch_all("SELECT * FROM job WHERE quarantine")
    assert rows == []


async def test_suspicion_outlives_the_bot(idle_line):
    """A bot that stops after each death goes on where it was."""
    pool = MortalPool(1, 16, 3)
    working = asyncio.create_task(pool.work())
    line = Line(idle_line.database, idle_line.folder, idle_line.lease, idle_line.timing, pool)
    for number in range(INNOCENTS + 1):
        await line.submit(job=Img2ImgJob(prompt=POISON if number == 9 else "a fox"))

    while await line.jobs.reader.list_outstanding():
        deaths = len(pool.deaths)
        line.dispatcher.start()
        async with asyncio.timeout(PATIENCE):
            while len(pool.deaths) == deaths and await line.jobs.reader.list_outstanding():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await until(pool._events.empty)
        await asyncio.sleep(0.05)  # until the last event is stored
        await line.dispatcher.stop(0)
        line = Line(line.database, line.folder, line.lease, line.timing, pool)
    working.cancel()
    records = await line.jobs.reader.list_by_owner("ada")

    assert len(pool.deaths) <= MOST_DEATHS
    assert sorted((record.state, record.strikes) for record in records) == sorted(
        [(JobState.DONE, 0)] * INNOCENTS + [(JobState.FAILED, 3)]
    )


@pytest.mark.parametrize("seed", range(3))
async def test_several_poisoned_jobs_fall_alone(idle_line, seed):
    pool = MortalPool(2, 16, seed)

    innocents, poisons = await run_with_poison(idle_line, pool, seed, poisons=3)

    assert_only_the_poison_fell(innocents, poisons)
    assert len(pool.deaths) <= 3 * MOST_DEATHS


@at_pace(sweep_seconds=0.01, renew_seconds=0.0, lease=timedelta(seconds=0.5))
@pytest.mark.parametrize("workers", [1, 2])
async def test_a_job_that_hangs_its_worker_falls_alone(idle_line, workers):
    pool = MortalPool(workers, 16, 5, hangs=True)

    innocents, poisons = await run_with_poison(idle_line, pool, 5)

    assert_only_the_poison_fell(innocents, poisons)
    assert len(pool.deaths) <= MOST_DEATHS


async def test_everybody_is_charged_for_one_run_however_many_were_lost(idle_line):
    pool = MortalPool(1, 16, 1)

    innocents, _ = await run_with_poison(idle_line, pool, 1)

    assert all(record.charged == record.cost for record in innocents)
    assert any(record.attempt > 1 for record in innocents)


async def test_who_is_under_no_suspicion_goes_on_in_company(idle_line):
    """Beside a group that is tried, another worker does the others' jobs together."""
    pool = MortalPool(2, 16, 2)

    await run_with_poison(idle_line, pool, 2, all_wait=True)

    assert pool.most_together > 1
    assert all(
        later <= earlier
        for poison in pool.poisons
        for earlier, later in zip(pool.deaths, pool.deaths[1:], strict=False)
        if poison in later
    )
