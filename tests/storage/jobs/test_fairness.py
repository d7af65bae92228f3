"""The bound on how unequally two members who both wait can have been served."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.database import Database, Transaction
from storage.jobs import JobStore
from storage.jobs.queue import BOUND_SHARES
from tests.storage.factories import LEASE, ROOMY, make_job, quick_folder

OWNERS = "abcd"
WEIGHTS = {"a": 1.0, "b": 1.0, "c": 2.0, "d": 0.5}
LARGEST = 10

arrival = st.tuples(st.sampled_from(OWNERS), st.integers(1, LARGEST))
# None is a claim; arrivals come in bursts, so that members are backlogged for a while.
events = st.lists(st.none() | arrival, min_size=10, max_size=60)


class Service:
    """What each member got, and since when each pair has been waiting together."""

    def __init__(self):
        self.waiting = Counter()
        self.served = defaultdict(float)
        self.since = {}

    def note(self):
        for pair in combinations(OWNERS, 2):
            if all(self.waiting[owner] for owner in pair):
                self.since.setdefault(pair, {owner: self.served[owner] for owner in pair})
            else:
                self.since.pop(pair, None)

    def differences(self):
        for (one, other), start in self.since.items():
            gains = [self.served[owner] - start[owner] for owner in (one, other)]
            yield abs(gains[0] - gains[1]), LARGEST / WEIGHTS[one] + LARGEST / WEIGHTS[other]


@settings(max_examples=25, deadline=None)
@given(history=events, slack=st.sampled_from([0.0, 0.0, 3.0, 15.0]))
async def test_two_who_both_wait_differ_by_at_most_one_largest_job_each(history, slack):
    """With a worker that would rather keep its model, by as much as the slack more."""
    service = Service()
    with quick_folder() as folder:
        async with Database(folder / "easel.db") as database:
            jobs = JobStore(database)
            for event in history:
                if event is None:
                    job = await jobs.queue.claim("gpu-0", LEASE, affinity="a", slack=slack)
                    if job is not None:
                        service.waiting[job.owner] -= 1
                        service.served[job.owner] += job.cost / job.weight
                else:
                    owner, cost = event
                    job = make_job(owner=owner, cost=cost, weight=WEIGHTS[owner], affinity=owner)
                    await jobs.queue.enqueue(job, ROOMY)
                    service.waiting[owner] += 1
                for difference, bound in service.differences():
                    assert difference <= bound + slack + 1e-9
                service.note()


async def test_in_the_long_run_the_measured_cost_decides(jobs, enqueue, claim):
    """One member's estimates are four times too low: the share is equal all the same."""
    measured = {"ada": 4.0, "bob": 1.0}
    for _ in range(80):
        await enqueue(owner="ada", cost=1.0)
        await enqueue(owner="bob", cost=1.0)

    served = Counter()
    for _ in range(60):
        job = await claim()
        await jobs.queue.finish_job(job.id, job.attempt, "gpu-0", {}, cost=measured[job.owner])
        served[job.owner] += measured[job.owner]

    assert abs(served["ada"] - served["bob"]) <= 4.0


@settings(max_examples=25, deadline=None)
@given(
    estimates=st.tuples(*[st.sampled_from([0.25, 1.0, 4.0, 10.0])] * 2),
    costs=st.lists(st.integers(1, LARGEST), min_size=40, max_size=40),
)
async def test_jobs_whose_estimate_is_wrong_are_corrected(estimates, costs):
    """However wrong one member's estimates are, what ran decides: to one largest job of each."""
    factors = dict(zip("ab", estimates, strict=True))
    with quick_folder() as folder:
        async with Database(folder / "easel.db") as database:
            jobs = JobStore(database)
            measured = {}
            for owner in "ab":
                for cost in costs:
                    job = make_job(owner=owner, cost=cost * factors[owner])
                    measured[(await jobs.queue.enqueue(job, ROOMY))[0].id] = float(cost)
            served = Counter()
            for _ in costs:
                job = await jobs.queue.claim("gpu-0", LEASE)
                await jobs.queue.finish_job(job.id, job.attempt, "gpu-0", {}, cost=measured[job.id])
                served[job.owner] += measured[job.id]
                assert abs(served["a"] - served["b"]) <= LARGEST


@settings(max_examples=20, deadline=None)
@given(shares=st.lists(st.sampled_from([2.0, 3.0, 4.0]), min_size=1, max_size=6))
async def test_many_members_with_a_large_share_on_one_server_take_no_more_than_one(shares):
    """Together as much as one with a share of 4, or one each; the rest goes elsewhere."""
    jobs_each, together = 40, max(4.0, len(shares))
    with quick_folder() as folder:
        async with Database(folder / "easel.db") as database:
            jobs = JobStore(database)
            for _ in range(jobs_each):
                for number, share in enumerate(shares):
                    job = make_job(owner=f"patron-{number}", guild="theirs", weight=share)
                    await jobs.queue.enqueue(job, ROOMY)
                await jobs.queue.enqueue(make_job(owner="elsewhere", guild="other"), ROOMY)

            served = Counter()
            for _ in range(jobs_each):
                served[(await jobs.queue.claim("gpu-0", LEASE)).guild] += 1

    assert served["theirs"] <= together * (served["other"] + 1) + len(shares)


async def test_a_share_is_whole_again_when_the_others_of_the_server_have_no_jobs(enqueue, jobs):
    first = await enqueue(owner="ada", weight=4.0)
    second = await enqueue(owner="bob", weight=4.0)
    shared = [(await jobs.reader.get_job(job.id)).weight for job in (first, second)]
    await jobs.queue.cancel_job(second.id, None)
    third = await enqueue(owner="ada", weight=4.0)

    assert shared == [2.0, 2.0]
    assert [(await jobs.reader.get_job(job.id)).weight for job in (first, third)] == [4.0, 4.0]


async def test_keeping_the_model_costs_a_waiting_member_no_more_than_the_slack(enqueue, claim):
    slack, cost = 6.0, 2.0
    for _ in range(40):
        await enqueue(owner="ada", cost=cost, affinity="sdxl")
        await enqueue(owner="bob", cost=cost, affinity="sd15")

    served = Counter()
    for _ in range(40):
        job = await claim(affinity="sd15", slack=slack)
        served[job.owner] += job.cost
        assert served["bob"] - served["ada"] <= slack + cost

    assert served["ada"] > 0


async def test_shares_are_bounded_only_beside_larger_ones(enqueue, monkeypatch):
    statements = []
    fetch_all = Transaction.fetch_all

    async def note_statement(self, sql, parameters=()):
        statements.append(sql)
        return await fetch_all(self, sql, parameters)

    monkeypatch.setattr(Transaction, "fetch_all", note_statement)
    counts = []
    for job in ({}, {"owner": "b"}, {"owner": "c", "weight": 2.0}, {"owner": "d"}):
        before = statements.count(BOUND_SHARES)
        await enqueue(**job)
        counts.append(statements.count(BOUND_SHARES) - before)

    assert counts == [0, 0, 1, 1]
