from __future__ import annotations

import pytest

from storage.errors import ConstraintBroken
from storage.moderation import ModerationStore, ScreeningRecord, Verdict

HELD = ScreeningRecord(verdict=Verdict.HELD, reason="the check found something")
CLEAN = ScreeningRecord(verdict=Verdict.CLEAN)


@pytest.fixture
def store(database, clock):
    return ModerationStore(database, clock)


@pytest.fixture
async def job(enqueue):
    return (await enqueue()).id


async def test_nothing_is_decided_at_first(store, job):
    assert await store.get_screening(job) is None


async def test_a_later_decision_takes_the_place_of_an_earlier_one(store, job):
    await store.save_screening(job, HELD)
    await store.save_screening(job, CLEAN)

    assert await store.get_screening(job) == CLEAN


async def test_cases_count_up_and_are_listed_oldest_first(store, job, clock):
    first = await store.open_case("guild", job, "held", reason="why")
    clock.pass_time(60)
    await store.open_case("guild", job, "reported", "bob", "because")
    await store.open_case("another", job, "reported", "cyd")

    assert [
        (case.number, case.kind, case.by, case.reason)
        for case in await store.list_open_cases("guild")
    ] == [(1, "held", "", "why"), (2, "reported", "bob", "because")]
    assert await store.get_open_case("guild", 1) == first
    assert await store.get_open_case("another", 1) is None
    assert len(await store.list_open_cases("guild", 1)) == 1


async def test_the_same_report_twice_is_one(store, job):
    assert await store.open_case("guild", job, "reported", "bob") is not None
    assert await store.open_case("guild", job, "reported", "bob", "again") is None


async def test_a_decision_closes_every_case_about_the_result(store, job):
    await store.open_case("guild", job, "held")
    await store.open_case("guild", job, "reported", "bob")
    await store.close_cases(job, "mod", CLEAN)

    assert await store.list_open_cases("guild") == []
    assert await store.get_screening(job) == CLEAN


async def test_cases_end_with_their_job(store, jobs, job):
    await store.save_screening(job, HELD)
    await store.open_case("guild", job, "held")
    await jobs.retention.forget_owner("ada")

    assert await store.list_open_cases("guild") == []
    assert await store.get_screening(job) is None


async def test_a_forgotten_member_leaves_no_report(store, job):
    await store.open_case("guild", job, "reported", "bob")
    await store.open_case("guild", job, "reported", "cyd")
    await store.forget_member("bob")

    assert [case.by for case in await store.list_open_cases("guild")] == ["cyd"]


async def test_a_job_that_is_not_there_has_no_case(store):
    with pytest.raises(ConstraintBroken):
        await store.open_case("guild", "0" * 20, "held")
