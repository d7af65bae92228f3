from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from storage.clock import SystemClock, from_microseconds, to_microseconds

moments = st.datetimes(timezones=st.just(UTC))


@given(moments)
def test_a_time_comes_back_to_the_microsecond(moment):
    assert from_microseconds(to_microseconds(moment)) == moment


def test_the_steady_clock_ignores_a_step_of_the_wall_clock(monkeypatch):
    clock = SystemClock()
    before = clock.steady_time()
    monkeypatch.setattr(SystemClock, "now", lambda self: datetime(1999, 1, 1, tzinfo=UTC))

    assert before <= clock.steady_time() < before + timedelta(hours=1)


def test_the_steady_clock_goes_on_with_the_monotonic_one(monkeypatch):
    seconds = [100.0]
    monkeypatch.setattr("storage.clock.monotonic", lambda: seconds[0])
    clock = SystemClock()
    before = clock.steady_time()
    seconds[0] += 2.5

    assert clock.steady_time() - before == timedelta(seconds=2.5)


def test_both_clocks_are_aware_and_in_utc():
    clock = SystemClock()

    assert timedelta(0) == clock.now().utcoffset() == clock.steady_time().utcoffset()
