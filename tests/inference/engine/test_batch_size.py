import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engine.batch_size import (
    MAX_TIMED_KEYS,
    MAX_TIMES_PER_SIZE,
    MIN_SPEED_SHARE,
    BatchSizer,
)


def learnt(times, pace=None):
    pace = pace or BatchSizer()
    for rows, seconds in times.items():
        for value in (99.0, seconds):
            pace.record_time("k", rows, value)
    return pace


def choose(pace, waiting, most, key="k"):
    return pace.best_size(key, [1] * min(waiting, most), waiting)


def test_what_nobody_has_measured_runs_as_large_as_it_may():
    pace = BatchSizer()
    assert [choose(pace, waiting, 8) for waiting in (0, 1, 3, 20)] == [0, 1, 3, 8]


def test_the_first_call_of_a_size_is_left_out_since_devices_warm_up():
    pace = BatchSizer()
    pace.record_time("k", 8, 60.0)
    pace.record_time("k", 8, 1.0)
    pace.record_time("k", 1, 0.9)
    pace.record_time("k", 1, 0.9)
    assert choose(pace, 8, 8) == 8


def test_rows_that_cost_nothing_all_run_together():
    assert choose(learnt({1: 1.0, 8: 1.1}), 8, 8) == 8


def test_rows_that_only_add_up_run_one_after_another():
    assert choose(learnt({1: 1.0, 8: 8.0}), 8, 8) == 1


def test_a_device_that_is_busy_from_four_rows_gets_four():
    pace = learnt({1: 33.0, 2: 42.0, 4: 55.0, 8: 108.0})
    assert choose(pace, 8, 8) == 4
    assert choose(pace, 3, 8) == 3


def test_what_others_measured_is_for_their_key_alone():
    assert choose(learnt({1: 1.0, 8: 8.0}), 8, 8, "other") == 8


def test_a_size_below_the_measured_ones_is_tried():
    pace = learnt({8: 8.0})
    assert choose(pace, 8, 8) == 1
    assert choose(learnt({1: 8.0}, pace), 8, 8) == 8


def test_a_size_above_the_measured_ones_is_tried():
    assert choose(learnt({1: 1.0, 4: 4.0}), 8, 8) == 8


def test_disturbances_are_not_believed_but_lasting_changes_are():
    pace = learnt({1: 1.0, 8: 1.1})
    pace.record_time("k", 8, 20.0)
    assert choose(pace, 8, 8) == 8
    for _ in range(MAX_TIMES_PER_SIZE):
        pace.record_time("k", 8, 20.0)
    assert choose(pace, 8, 8) == 1


def test_of_many_keys_the_oldest_is_forgotten():
    pace = learnt({1: 1.0, 8: 8.0})
    assert choose(pace, 8, 8) == 1
    for number in range(MAX_TIMED_KEYS):
        pace.record_time(number, 1, 1.0)
    assert choose(pace, 8, 8) == 8


def test_rows_of_many_entries_are_timed_by_their_entries():
    pace = learnt({2: 2.0, 8: 2.1, 9: 9.0})
    assert pace.best_size("k", [2, 2, 2, 2], 4) == 4
    assert pace.best_size("k", [2, 7], 2) == 1


def ends(times, rows, waiting):
    """Run the rows in batches, one batch after the other; say when each is done."""
    now, when = 0.0, []
    while len(when) < waiting:
        together = min(rows, waiting - len(when))
        now += times[together]
        when += [now] * together
    return when


@pytest.mark.parametrize("most", [1, 3, 8])
@given(
    steps=st.lists(st.floats(0.0, 2.0), min_size=7, max_size=7),
    waiting=st.integers(1, 30),
)
def test_of_the_fast_sizes_the_one_with_the_soonest_pictures(most, steps, waiting):
    times = {1: 1.0}
    for step in steps:
        times[len(times) + 1] = times[len(times)] + step
    chosen = choose(learnt(times), waiting, most)
    sizes = range(1, min(most, waiting) + 1)
    fast = [n for n in sizes if n / times[n] >= MIN_SPEED_SHARE * max(m / times[m] for m in sizes)]
    assert chosen in fast
    soonest = min(sum(ends(times, n, waiting)) for n in fast)
    assert sum(ends(times, chosen, waiting)) <= soonest * (1 + 1e-9)
