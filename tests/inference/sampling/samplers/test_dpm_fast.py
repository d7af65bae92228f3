import math
from functools import partial
from itertools import pairwise

import pytest
import torch
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
    assert min(order_of(partial(sample_dpm_fast, eta=0.0), (29, 59, 119))) > 2.8


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 20])
def test_calls_as_often_as_there_are_steps(tiny_network, run_sampler, noise_latent, ramp, steps):
    levels = ramp(steps, low=0.03)
    _, seen = run_sampler(sample_dpm_fast, noise_latent * 10, levels, tiny_network)
    assert len(seen) == steps


def test_the_data_keeps_its_mean_and_spread(gaussian, run_sampler, ramp):
    x = gaussian.noised(10.0, (4, 48, 48), seed=1)
    result, _ = run_sampler(sample_dpm_fast, x, ramp(80, low=0.02), gaussian.denoise)
    assert [result.mean().item(), result.std().item()] == pytest.approx([0.7, 0.6], abs=0.03)


@pytest.mark.parametrize("calls", [1, 2, 3, 7, 20])
def test_it_ends_at_the_last_level_with_the_noise_of_each_step(gaussian, play, ramp, calls):
    """Of one point of data every step is exact, so only the noise that is added shows."""
    levels, orders = ramp(calls), dpm_fast_orders(calls)
    ends = [10.0 * (0.1 / 10.0) ** (i / len(orders)) for i in range(len(orders) + 1)]
    noises = torch.randn(len(orders), 1, 2, 2, generator=torch.Generator().manual_seed(4)).double()
    x = torch.zeros(1, 2, 2).double()
    expected = x
    for (high, low), noise in zip(pairwise(ends), noises, strict=True):
        up = low * math.sqrt(high**2 - low**2) / high  # the posterior's (Song et al. 2021a)
        down = max(math.sqrt(low**2 - up**2), 0.1)
        expected = expected * down / high + math.sqrt(max(low**2 - down**2, 0.0)) * noise
    actual = play(sample_dpm_fast, x, levels, lambda x, sigma: torch.zeros_like(x), list(noises))
    torch.testing.assert_close(actual, expected)
