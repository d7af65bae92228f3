"""The pure choice of job and worker, by its properties."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dispatcher.placement import (
    LOAD_SECONDS,
    PASSED_OVER_SECONDS,
    ModelDemand,
    Placement,
    WaitingJob,
    WorkerLoad,
    choose_placement,
    list_passed_over,
)

WORKERS = ("a", "b", "c")
MODELS = ("", "m", "n", "o")
names = st.sets(st.sampled_from(WORKERS), min_size=1).map(frozenset)
lines = st.lists(
    st.builds(
        lambda model, workers, passed: (model, workers, passed),
        st.none() | st.sampled_from(MODELS),
        names,
        st.floats(0, 200),
    ),
    max_size=16,
).map(
    lambda jobs: [
        WaitingJob(id=str(number), model=model, workers=workers, passed_seconds=passed)
        for number, (model, workers, passed) in enumerate(jobs)
    ]
)


@st.composite
def fleets(draw: st.DrawFn) -> list[WorkerLoad]:
    loads = []
    for name in WORKERS[: draw(st.integers(0, len(WORKERS)))]:
        held = draw(st.integers(0, 4))
        loads.append(
            WorkerLoad(
                name=name,
                held=held,
                room=4 - held,
                models=frozenset(draw(st.sets(st.sampled_from(MODELS), max_size=2))),
                backlog_seconds=draw(st.floats(0, 60)) if held else 0.0,
            )
        )
    return loads


demands = st.dictionaries(st.sampled_from(MODELS), st.floats(0, 100))


def job(id: str, model: str | None = "m", workers: str = "ab", passed: float = 0.0) -> WaitingJob:
    return WaitingJob(id=id, model=model, workers=frozenset(workers), passed_seconds=passed)


def load(name: str, *models: str, held: int = 0, backlog: float = 0.0) -> WorkerLoad:
    return WorkerLoad(
        name=name, held=held, room=10 - held, models=frozenset(models), backlog_seconds=backlog
    )


def is_late(waiting: WaitingJob) -> bool:
    return waiting.passed_seconds >= PASSED_OVER_SECONDS * len(waiting.workers)


@given(lines, fleets(), demands)
def test_a_job_goes_only_to_a_worker_that_has_room_and_its_models(jobs, workers, demand):
    placement = choose_placement(jobs, workers, demand)
    if placement is not None:
        (worker,) = [worker for worker in workers if worker.name == placement.worker]
        assert worker.room > 0
        assert placement.worker in placement.job.workers
        assert placement.job in jobs


@given(lines, fleets(), demands)
def test_no_worker_idles_while_a_job_waits_that_it_can_do(jobs, workers, demand):
    if choose_placement(jobs, workers, demand) is None:
        idle = {worker.name for worker in workers if worker.held == 0}
        assert not any(idle & waiting.workers for waiting in jobs)


@given(lines, fleets(), demands)
def test_nobody_goes_past_a_job_that_was_passed_over_for_long(jobs, workers, demand):
    placement = choose_placement(jobs, workers, demand)
    if placement is not None:
        assert not any(map(is_late, list_passed_over(jobs, placement)))


@given(lines, demands, st.sets(st.sampled_from(MODELS)))
def test_one_idle_worker_takes_the_fairest_or_the_fairest_of_its_models(jobs, demand, models):
    workers = [load("a", *models)]
    able = [waiting for waiting in jobs if "a" in waiting.workers]
    late = [waiting for waiting in able if is_late(waiting)]
    near = [w for w in able if w.model is None or w.model in models]
    expected = next(iter([*late, *near, *able]), None)
    placement = choose_placement(jobs, workers, demand)
    assert (placement and placement.job) == expected


@given(lines, fleets(), demands)
def test_the_choice_depends_on_nothing_else(jobs, workers, demand):
    first = choose_placement(jobs, workers, demand)
    assert choose_placement(list(jobs), list(workers), dict(demand)) == first


@pytest.mark.parametrize(
    ("jobs", "workers", "expected"),
    [
        pytest.param([job("1"), job("2", "n")], [load("a", "n"), load("b")], ("2", "a"), id="near"),
        pytest.param(
            [job("1")],
            [load("a", "m", held=2, backlog=LOAD_SECONDS - 1), load("b")],
            ("1", "a"),
            id="sooner behind others than by loading",
        ),
        pytest.param(
            [job("1")],
            [load("a", "m", held=4, backlog=LOAD_SECONDS + 1), load("b", "n")],
            ("1", "b"),
            id="sooner by loading than behind others",
        ),
        pytest.param(
            [job("1")],
            [load("a", "n", held=1, backlog=1.0), load("b", "n", held=1, backlog=1.0)],
            None,
            id="it waits for its model, or for an idle worker",
        ),
        pytest.param(
            [job("1", passed=PASSED_OVER_SECONDS * 2), job("2", "n")],
            [load("a", "n", held=1, backlog=2.0), load("b", "n", held=1, backlog=1.0)],
            ("1", "b"),
            id="until it was passed over for long",
        ),
        pytest.param([job("1", None)], [load("a", held=1), load("b")], ("1", "a"), id="no model"),
        pytest.param(
            [job("1", "o"), job("2", "n", workers="c")],
            [load("a", "m"), load("b", "n")],
            ("1", "a"),
            id="the models wanted least make room",
        ),
    ],
)
def test_jobs_go_where_they_begin_soonest(jobs, workers, expected):
    placement = choose_placement(jobs, workers, {"m": 1.0, "n": 2.0})
    assert (placement and (placement.job.id, placement.worker)) == expected


def test_one_job_is_passed_over_by_little_more_than_the_bound():
    """A job of a model that nobody has, among an endless line of others that are loaded."""
    chance = random.Random(3)
    passed = 0.0
    for number in range(200):
        others = [job(f"{number}-{k}", chance.choice("mn"), "ab") for k in range(5)]
        workers = [load("a", "m", held=1, backlog=2.0), load("b", "n", held=1, backlog=2.0)]
        rare = job("rare", "rare", "ab", passed)
        placement = choose_placement([rare, *others], workers, {})
        assert placement is not None
        if placement.job.id == "rare":
            break
        passed += 3.0
    assert placement == Placement(rare, placement.worker)
    assert PASSED_OVER_SECONDS * 2 <= passed < PASSED_OVER_SECONDS * 2 + 3.0


def test_demand_fades():
    demand = ModelDemand()
    for _ in range(50):
        demand.add_job("m")
    demand.add_job(None)
    for _ in range(500):
        demand.add_job("n")
    assert demand.counts["n"] > 50 > 1 > demand.counts.get("m", 0.0)
