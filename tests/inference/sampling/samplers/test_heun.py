from itertools import pairwise

import pytest
import torch
from diffusers import HeunDiscreteScheduler

from inference.sampling.samplers.heun import restart_steps, sample_heun, sample_restart
from inference.sampling.schedules import schedule_sigmas

# Diffusers 0.42 turns tensors to arrays in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def test_heun_is_of_second_order(order_of):
    assert order_of(sample_heun) == pytest.approx([2, 2], abs=0.1)


@pytest.mark.parametrize("karras", [False, True])
def test_heun_equals_diffusers(tiny_network, run_sampler, exploding_oracle, noise_latent, karras):
    scheduler = HeunDiscreteScheduler(**SD, use_karras_sigmas=karras)
    scheduler.set_timesteps(12)
    levels = [float(s) for s in scheduler.sigmas[::2]]
    levels = [*levels[:12], 0.0]
    x = noise_latent * levels[0]
    actual, seen = run_sampler(sample_heun, x, levels, tiny_network)
    torch.testing.assert_close(
        exploding_oracle(scheduler, x, tiny_network), actual, rtol=0, atol=1e-4
    )
    assert len(seen) == 23


def test_restart_keeps_the_data(keeps_the_data):
    actual, expected = keeps_the_data(sample_restart)
    assert actual == expected


@pytest.mark.parametrize("name", ["Karras", "Uniform", "SGM Uniform", "KL Optimal", "Beta"])
@pytest.mark.parametrize("steps", [1, 19, 20, 35, 36, 100])
def test_restart_takes_as_many_steps_as_asked(table, steps, name):
    walked = list(restart_steps(schedule_sigmas(name, steps, table)))
    assert len(walked) == steps
    assert sum(end == 0 for _, end in walked) == 1
    assert walked[-1][1] == 0


@pytest.mark.parametrize(("steps", "climbs"), [(19, 0), (20, 1), (35, 1), (36, 2), (50, 2)])
def test_restart_climbs_from_a_tenth_to_two(table, steps, climbs):
    walked = list(restart_steps(schedule_sigmas("Karras", steps, table)))
    jumps = [(a[1], b[0]) for a, b in pairwise(walked) if b[0] != a[1]]
    assert len(jumps) == climbs
    for low, high in jumps:
        assert pytest.approx(low, abs=0.06) == 0.1
        assert pytest.approx(high, abs=1.1) == 2.0


def test_restart_of_a_run_below_the_interval_is_one_walk():
    levels = [0.09 - 0.001 * i for i in range(30)] + [0.0]
    assert list(pairwise(levels)) == list(restart_steps(levels))
