import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.sampling.samplers.dpm_fast import dpm_fast_orders, sample_dpm_fast


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        (1, [1]),
        (2, [2]),
        (3, [2, 1]),
        (4, [3, 1]),
        (5, [3, 2]),
        (6, [3, 2, 1]),
        (20, [3] * 6 + [2]),
    ],
)
def test_calls_split_into_orders(calls, expected):
    assert dpm_fast_orders(calls) == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 200))
def test_orders_sum_to_the_calls(calls):
    assert sum(dpm_fast_orders(calls)) == calls


def test_third_order_where_the_last_step_is_of_second(order_of):
    # 3k + 2 calls end in one step of second order, which costs no global order.
    assert min(order_of(sample_dpm_fast, (29, 59, 119))) > 2.8


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 20])
def test_calls_as_often_as_there_are_steps(tiny_network, run_sampler, noise_latent, ramp, steps):
    levels = [*ramp(steps, low=0.03)[:steps], 0.0]
    _, seen = run_sampler(sample_dpm_fast, noise_latent * 10, levels, tiny_network)
    assert len(seen) == steps


def test_the_data_keeps_its_mean_and_spread(keeps_the_data):
    actual, expected = keeps_the_data(sample_dpm_fast)
    assert actual == expected
