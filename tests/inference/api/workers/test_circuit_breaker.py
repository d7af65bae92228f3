from __future__ import annotations

from inference.api.workers.circuit_breaker import (
    FAILURE_WINDOW_SECONDS,
    MAX_RECENT_FAILURES,
    RESTART_DELAYS_SECONDS,
    CircuitBreaker,
)


def test_pauses_grow_until_the_breaker_opens():
    breaker = CircuitBreaker()

    assert [breaker.record_failure(float(second)) for second in range(MAX_RECENT_FAILURES)] == [
        *RESTART_DELAYS_SECONDS,
        None,
    ]


def test_deaths_of_long_ago_do_not_count():
    breaker = CircuitBreaker()

    pauses = [breaker.record_failure(number * FAILURE_WINDOW_SECONDS * 0.6) for number in range(6)]

    assert None not in pauses


def test_the_one_try_is_trusted_only_after_a_job():
    breaker = CircuitBreaker()
    for second in range(MAX_RECENT_FAILURES):
        breaker.record_failure(float(second))
    assert breaker.record_failure(2 * FAILURE_WINDOW_SECONDS) is None

    assert breaker.record_success()
    assert not breaker.record_success()

    assert breaker.record_failure(2 * FAILURE_WINDOW_SECONDS + 1) == RESTART_DELAYS_SECONDS[0]


def test_the_deaths_by_one_job_open_nothing():
    breaker = CircuitBreaker()
    lost = [set("abcdefgh"), set("abcd"), set("cd"), {"d"}, {"d"}, {"d"}]

    pauses = [breaker.record_failure(float(second), jobs) for second, jobs in enumerate(lost)]

    assert pauses == [RESTART_DELAYS_SECONDS[0]] * len(lost)


def test_deaths_by_whatever_job_open_the_breaker():
    breaker = CircuitBreaker()

    pauses = [breaker.record_failure(float(second), {f"{second}"}) for second in range(3)]

    assert pauses == [*RESTART_DELAYS_SECONDS, None]


def test_a_job_that_is_done_speaks_for_the_device_that_does_it():
    breaker = CircuitBreaker()
    for second in range(6):
        assert breaker.record_failure(float(second), {f"{second}"}) is not None
        assert not breaker.record_success()

    assert breaker.record_failure(7.0) is not None
    breaker.record_success()  # and nothing speaks for a start that failed
    assert breaker.record_failure(8.0) is not None
    assert breaker.record_failure(9.0) is None
