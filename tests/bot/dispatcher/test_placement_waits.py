"""What the choice of job and worker brings, by the benchmark's simulation: the same at each run."""

from __future__ import annotations

import pytest

from benchmarks.placement import former_rule, present_rule, simulate


@pytest.mark.parametrize(
    ("cards", "load", "seconds", "longest_mean"), [(4, 0.3, 2400, 3.5), (16, 0.85, 900, 2.5)]
)
def test_waits_are_short_where_they_were_long(cards, load, seconds, longest_mean):
    former = simulate(cards, load, former_rule(), seconds)
    present = simulate(cards, load, present_rule(), seconds)
    assert sum(present.waits) / len(present.waits) <= longest_mean
    assert sum(former.waits) / len(former.waits) > 3 * longest_mean
    assert len(present.waits) >= len(former.waits)
