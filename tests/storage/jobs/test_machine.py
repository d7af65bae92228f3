"""Every order of events, crashes among them, against a model that fits in the head."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from storage.database import Database
from storage.jobs import JobStore
from storage.records import JobState
from tests.storage.factories import LEASE, ROOMY, FakeClock, make_job, quick_folder

WORKERS = ["gpu-0", "gpu-1", "gpu-2"]
LARGEST = 8.0
#: What the store tells apart in time.
INSTANT = timedelta(microseconds=1)
COSTS = st.integers(0, int(LARGEST)).map(float)
STEPS = st.integers(0, 9)
#: Steps done, steps in all, what was measured to be spent.
PROGRESS = st.none() | st.tuples(STEPS, STEPS) | st.tuples(STEPS, STEPS, COSTS)


@dataclass(frozen=True)
class Expected:
    """What the model knows of a job."""

    owner: str
    priority: int
    state: str = "queued"
    attempt: int = 0
    strikes: int = 0
    worker: str | None = None
    deadline: Any = None
    delivery: str = "none"
    stopping: bool = False

    def running(self, attempt, worker):
        return (self.state, self.attempt, self.worker) == ("running", attempt, worker)

    def given_back(self, counts=True):
        if self.stopping:
            return replace(self, state="cancelled", deadline=None, delivery="pending")
        strikes = self.strikes + counts
        if strikes < 3:
            return replace(self, state="queued", strikes=strikes, worker=None, deadline=None)
        return replace(self, state="failed", strikes=strikes, deadline=None, delivery="pending")


class QueueMachine(RuleBasedStateMachine):
    """The store and its model, side by side."""

    leases = Bundle("leases")
    ids = Bundle("ids")

    @initialize()
    def open(self):
        self.runner = asyncio.Runner()
        self.folders = [quick_folder()]
        self.folder = self.folders[0].__enter__()
        self.clock = FakeClock()
        self.model: dict[str, Expected] = {}
        self.ended: dict[str, tuple[Any, ...]] = {}
        self.most_running = 0
        self._open()

    def teardown(self):
        if hasattr(self, "runner"):
            self._do(self.database.__aexit__(None, None, None))
            self.runner.close()
            for folder in self.folders:
                folder.__exit__(None, None, None)

    def _open(self):
        self.database = Database(self.folder / "easel.db")
        self._do(self.database.__aenter__())
        self.jobs = JobStore(self.database, self.clock)
        self.latest = self.clock.steady_time()

    def _do(self, work):
        return self.runner.run(work)

    @rule(
        target=ids,
        owner=st.sampled_from("abc"),
        cost=COSTS,
        priority=st.integers(-1, 1),
        again=st.booleans(),
    )
    def enqueue(self, owner, cost, priority, again):
        job = make_job(owner=owner, cost=cost, priority=priority)
        record, created = self._do(self.jobs.queue.enqueue(job, ROOMY))
        assert created
        assert not self.model or record.id > max(self.model)
        self.model[record.id] = Expected(owner, priority)
        if again:
            assert self._do(self.jobs.queue.enqueue(job, ROOMY)) == (record, False)
        return record.id

    @rule(target=leases, worker=st.sampled_from(WORKERS))
    def claim(self, worker):
        suspects = self._suspects()
        waiting = {
            id: job
            for id, job in self.model.items()
            if job.state == "queued" and id not in suspects
        }
        vtimes = self._vtimes()
        record = self._do(self.jobs.queue.claim(worker, LEASE))
        # No two claims of one store end their leases in the same instant.
        self.latest = max(self.clock.steady_time() + LEASE, self.latest + INSTANT)
        if not waiting:
            assert record is None
            return multiple()
        assert vtimes[record.owner] == min(vtimes[job.owner] for job in waiting.values())
        own = [(-job.priority, id) for id, job in waiting.items() if job.owner == record.owner]
        assert min(own)[1] == record.id
        return self._run(record, worker)

    @rule(target=leases, worker=st.sampled_from(WORKERS))
    def claim_suspects(self, worker):
        """Give a worker the whole group that must be tried apart next."""
        suspects = self._suspects()
        turn = self._do(self.jobs.queue.quarantine_turn())
        if turn is None or turn.group is None:
            assert not suspects
            return multiple()
        records = self._do(self.jobs.queue.claim_quarantine(worker, LEASE, turn.group))
        self.latest = max(self.clock.steady_time() + LEASE, self.latest + INSTANT)
        assert [record.id for record in records] == sorted(
            id for id, group in suspects.items() if group == turn.group
        )
        return multiple(*[self._run(record, worker) for record in records])

    def _run(self, record, worker):
        self.model[record.id] = replace(
            self.model[record.id],
            state="running",
            attempt=self.model[record.id].attempt + 1,
            worker=worker,
            deadline=self.latest,
        )
        running = Counter(job.owner for job in self.model.values() if job.state == "running")
        self.most_running = max(self.most_running, *running.values())
        return record.id, record.attempt, worker

    def _suspects(self):
        sql = "SELECT id, quarantine FROM job WHERE state = 'queued' AND quarantine IS NOT NULL"
        rows = self._do(self.database.fetch_all(sql))
        return {row["id"]: row["quarantine"] for row in rows}

    @rule(lease=leases, progress=PROGRESS)
    def renew(self, lease, progress):
        id, attempt, worker = lease
        holds = self.model[id].running(attempt, worker)
        assert self._do(self.jobs.queue.renew_lease(*lease, LEASE, *(progress or ()))) == holds
        if holds:
            self.model[id] = replace(self.model[id], deadline=self.clock.steady_time() + LEASE)

    @rule(lease=leases, cost=st.none() | COSTS)
    def finish(self, lease, cost):
        id, attempt, worker = lease
        holds = self.model[id].running(attempt, worker)
        record = self._do(self.jobs.queue.finish_job(*lease, {"picture": "p"}, cost))
        assert (record is not None) == holds
        if holds:
            self._end(id, "done", "pending")

    @rule(lease=consumes(leases))
    def fail(self, lease):
        id, attempt, worker = lease
        holds = self.model[id].running(attempt, worker)
        assert (self._do(self.jobs.queue.fail_job(*lease, "no")) is not None) == holds
        if holds:
            self._end(id, "failed", "pending")

    @rule(lease=leases, counts=st.booleans())
    def release(self, lease, counts):
        id, attempt, worker = lease
        holds = self.model[id].running(attempt, worker)
        record = self._do(
            self.jobs.queue.release_job(*lease, "its worker died", count_attempt=counts)
        )
        assert holds == (record is not None)
        if holds:
            self.model[id] = self.model[id].given_back(counts)

    @rule(lease=leases, worker=st.sampled_from(WORKERS), ahead=st.integers(-1, 1))
    def finish_with_a_claim_that_is_not_ones_own(self, lease, worker, ahead):
        id, attempt, _ = lease
        if not self.model[id].running(attempt + ahead, worker):
            assert not self._do(self.jobs.queue.finish_job(id, attempt + ahead, worker, {}))

    @rule(id=ids, deliver=st.booleans(), owner=st.none() | st.sampled_from("abc"))
    def cancel(self, id, deliver, owner):
        job = self.model[id]
        if owner not in (None, job.owner):
            return
        record = self._do(self.jobs.queue.cancel_job(id, owner, deliver=deliver))
        if job.state in ("queued", "running"):
            self._end(id, "cancelled", "pending" if deliver else "none")
        assert self.model[id].state == record.state

    @rule(id=ids, owner=st.none() | st.sampled_from("abc"))
    def stop(self, id, owner):
        job = self.model[id]
        stops = job.state == "running" and not job.stopping and owner in (None, job.owner)
        assert self._do(self.jobs.queue.stop_job(id, owner)) == stops
        if stops:
            self.model[id] = replace(job, stopping=True)

    @rule(seconds=st.sampled_from([1.0, 30.0, 60.0]), step=st.sampled_from([0, 0, -9e6, 9e6]))
    def time_passes(self, seconds, step):
        self.clock.pass_time(seconds)
        self.clock.wall += timedelta(seconds=step)

    @rule()
    def expire(self):
        now = self.clock.steady_time()
        late = [
            id for id, job in self.model.items() if job.state == "running" and job.deadline <= now
        ]
        self._lose(late)
        assert sorted(late) == [job.id for job in self._do(self.jobs.queue.expire_leases())]

    @rule(alive=st.sets(st.sampled_from(WORKERS), max_size=1), step=st.sampled_from([0, -9e6, 9e6]))
    def crash(self, alive, step):
        """Go on from what the disk holds at this moment, with new clocks."""
        self.folders.append(quick_folder())
        image = self.folders[-1].__enter__()
        shutil.copytree(self.folder, image, dirs_exist_ok=True)
        self._do(self.database.__aexit__(None, None, None))
        self.folder = image
        self.clock.steady += timedelta(seconds=step)
        self._open()
        lost = []
        for id, job in self.model.items():
            if job.state == "running" and job.worker in alive:
                self.model[id] = replace(job, deadline=self.clock.steady_time() + LEASE)
            elif job.state == "running":
                lost.append(id)
        self._lose(lost)
        assert sorted(lost) == [job.id for job in self._do(self.jobs.queue.recover_jobs(alive))]

    def _lose(self, ids):
        """Give jobs back; who was not alone with its worker loses no attempt."""
        company = Counter(self.model[id].worker for id in ids)
        for id in ids:
            job = self.model[id]
            self.model[id] = job.given_back(company[job.worker] == 1)

    @rule(worker=st.sampled_from(WORKERS), others=st.integers(0, 1))
    def lose_worker(self, worker, others):
        """A worker ends; it may have held a job that nobody waits for any more."""
        held = {
            id: job.attempt
            for id, job in self.model.items()
            if (job.state, job.worker) == ("running", worker)
        }
        attempts = [*held.items(), *[("0" * 20, 1)] * others]
        returned = self._do(self.jobs.queue.release_lost(worker, attempts, "it died"))
        assert [record.id for record in returned] == sorted(held)
        for id in held:
            self.model[id] = self.model[id].given_back(len(attempts) == 1)
        groups = [record.quarantine for record in returned if record.state is JobState.QUEUED]
        assert None not in groups
        waiting = len(groups)
        assert sorted(Counter(groups).values()) == sorted(
            number for number in (waiting // 2, (waiting + 1) // 2) if number
        )

    @rule(id=ids, step=st.sampled_from(["begin", "arrive", "give up", "try again"]))
    def deliver(self, id, step):
        action, starts, end = {
            "begin": (self.jobs.deliveries.begin_delivery, {"pending"}, "sending"),
            "arrive": (
                lambda id: self.jobs.deliveries.mark_delivered(id, "m"),
                {"sending"},
                "sent",
            ),
            "give up": (
                lambda id: self.jobs.deliveries.mark_undeliverable(id, "no"),
                {"pending", "sending"},
                "undelivered",
            ),
            "try again": (
                self.jobs.deliveries.requeue_delivery,
                {"sending", "undelivered"},
                "pending",
            ),
        }[step]
        allowed = self.model[id].delivery in starts
        assert self._do(action(id)) == allowed
        if allowed:
            self.model[id] = replace(self.model[id], delivery=end)

    def _end(self, id, state, delivery):
        self.model[id] = replace(self.model[id], state=state, deadline=None, delivery=delivery)

    def _vtimes(self):
        rows = self._do(self.database.fetch_all("SELECT owner, vtime FROM member WHERE queued"))
        return {row["owner"]: row["vtime"] for row in rows}

    @invariant()
    def no_job_is_lost_and_each_is_where_the_model_says(self):
        rows = self._do(self.database.fetch_all("SELECT * FROM job"))
        for row in rows:
            job = self.model[row["id"]]
            assert (job.state, job.attempt, job.strikes, job.delivery) == (
                row["state"],
                row["attempt"],
                row["strikes"],
                row["delivery"],
            )
            if job.state == "running":
                assert job.worker == row["worker"]
        assert len(self.model) == len(rows)

    @invariant()
    def nothing_that_has_ended_is_under_suspicion(self):
        sql = "SELECT count(*) FROM job WHERE quarantine AND finished_at IS NOT NULL"
        assert self._do(self.database.fetch_value(sql)) == 0

    @invariant()
    def what_has_ended_never_changes(self):
        sql = """SELECT id, state, attempt, strikes, worker, charged, finished_at, result, error
                   FROM job WHERE finished_at IS NOT NULL"""
        now = {row["id"]: tuple(row) for row in self._do(self.database.fetch_all(sql))}
        assert self.ended.items() <= now.items()
        self.ended = now

    @invariant()
    def the_counts_are_right(self):
        states = Counter(job.state for job in self.model.values())
        assert {state: states[state] for state in JobState} == self._do(
            self.jobs.reader.count_by_state()
        )
        waiting = Counter(job.owner for job in self.model.values() if job.state == "queued")
        rows = self._do(self.database.fetch_all("SELECT owner, queued FROM member"))
        assert all(waiting[row["owner"]] == row["queued"] for row in rows)

    @invariant()
    def who_waits_is_not_far_from_who_else_waits(self):
        """Returned charges and corrections can each move a member by one job that was running."""
        vtimes = self._vtimes().values()
        if vtimes:
            assert max(vtimes) - min(vtimes) <= (self.most_running + 1) * LARGEST + 1e-9

    @invariant()
    def what_a_member_was_charged_is_what_the_jobs_say(self):
        charged = self._do(
            self.database.fetch_value("SELECT count(*) FROM job WHERE state='queued' AND charged")
        )
        assert charged == 0


def test_every_promise_holds_in_every_order():
    run_state_machine_as_test(
        QueueMachine, settings=settings(max_examples=15, stateful_step_count=50, deadline=None)
    )


@pytest.mark.slow
def test_every_promise_holds_in_five_thousand_steps():
    run_state_machine_as_test(
        QueueMachine, settings=settings(max_examples=120, stateful_step_count=60, deadline=None)
    )
