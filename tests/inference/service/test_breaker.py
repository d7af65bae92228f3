from __future__ import annotations

from inference.service.breaker import BACKOFF, DEATHS, RECENT, Breaker


def test_pauses_grow_until_the_breaker_opens():
    breaker = Breaker()

    assert [*BACKOFF, None] == [breaker.died(float(second)) for second in range(DEATHS)]


def test_deaths_of_long_ago_do_not_count():
    breaker = Breaker()

    pauses = [breaker.died(number * RECENT * 0.6) for number in range(6)]

    assert None not in pauses


def test_the_one_try_is_trusted_only_after_a_job():
    breaker = Breaker()
    for second in range(DEATHS):
        breaker.died(float(second))
    assert breaker.died(2 * RECENT) is None

    assert breaker.worked()
    assert not breaker.worked()

    assert BACKOFF[0] == breaker.died(2 * RECENT + 1)
