from __future__ import annotations

import pytest

from inference.cluster.demand import BUSY_SECONDS, CLOSE_AFTER_SECONDS, SeatDemand


@pytest.fixture
def clock():
    return [1000.0]


@pytest.fixture
def demand(clock):
    return SeatDemand(1, 3, lambda: clock[0])


def test_much_work_opens_a_seat_only_where_it_lasts(demand, clock):
    demand.note_work(BUSY_SECONDS + 1)
    assert demand.find_opening({0: clock[0]}) is None

    clock[0] += 121
    assert demand.find_opening({0: clock[0]}) == 1
    assert demand.find_opening({0: clock[0], 1: clock[0]}) is None

    clock[0] += 121
    demand.note_work(BUSY_SECONDS + 1)
    assert demand.find_opening({0: clock[0], 1: clock[0]}) == 2


def test_work_that_is_soon_done_opens_none(demand, clock):
    demand.note_work(BUSY_SECONDS + 1)
    clock[0] += 60
    demand.note_work(BUSY_SECONDS)
    clock[0] += 61
    demand.note_work(BUSY_SECONDS + 1)

    assert demand.find_opening({0: clock[0]}) is None


def test_there_are_never_more_than_the_host_allows(demand, clock):
    demand.note_work(1e6)
    clock[0] += 1e6

    assert demand.find_opening(dict.fromkeys(range(3), clock[0])) is None


def test_a_seat_that_was_long_idle_is_closed_but_not_the_last_ones(demand, clock):
    began = clock[0]
    clock[0] += CLOSE_AFTER_SECONDS - 1
    assert demand.find_closing({0: began, 1: began}) is None

    clock[0] += 1
    assert demand.find_closing({0: began, 1: began, 2: clock[0]}) == 1
    assert demand.find_closing({0: began}) is None


def test_nothing_is_closed_while_much_waits(demand, clock):
    demand.note_work(BUSY_SECONDS + 1)
    clock[0] += CLOSE_AFTER_SECONDS

    assert demand.find_closing({0: 0.0, 1: 0.0}) is None
