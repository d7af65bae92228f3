import pytest
import torch
from diffusers import KDPM2AncestralDiscreteScheduler, KDPM2DiscreteScheduler

from inference.sampling.samplers.dpm2 import sample_dpm2, sample_dpm2_ancestral

# Diffusers 0.42 turns tensors to arrays in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def middle_or_level(scheduler):
    levels = scheduler.sigmas if scheduler.state_in_first_order else scheduler.sigmas_interpol
    return levels[scheduler.step_index]


def ancestral_level(scheduler):
    at = scheduler.step_index
    first = scheduler.state_in_first_order
    return scheduler.sigmas[at] if first else scheduler.sigmas_interpol[at - 1]


def test_dpm2_is_of_second_order(order_of):
    assert order_of(sample_dpm2) == pytest.approx([2, 2], abs=0.1)


@pytest.mark.parametrize("karras", [False, True])
def test_dpm2_equals_diffusers(tiny_network, run_sampler, exploding_oracle, noise_latent, karras):
    scheduler = KDPM2DiscreteScheduler(**SD, use_karras_sigmas=karras)
    scheduler.set_timesteps(12)
    levels = [*(float(s) for s in scheduler.sigmas[0:23:2]), 0.0]
    x = noise_latent * levels[0]
    expected = exploding_oracle(scheduler, x, tiny_network, level=middle_or_level)
    actual, seen = run_sampler(sample_dpm2, x, levels, tiny_network)
    torch.testing.assert_close(expected, actual, rtol=0, atol=1e-4)
    assert len(seen) == 23


def test_dpm2_ancestral_equals_diffusers(tiny_network, run_sampler, exploding_oracle, noise_latent):
    scheduler = KDPM2AncestralDiscreteScheduler(**SD)
    scheduler.set_timesteps(12)
    levels = [*(float(s) for s in scheduler.sigmas[0:23:2]), 0.0]
    x = noise_latent * levels[0]
    generator = torch.Generator().manual_seed(1)
    torch.randn(4, 8, 8, generator=generator)
    expected = exploding_oracle(
        scheduler, x, tiny_network, level=ancestral_level, generator=generator
    )
    actual, _ = run_sampler(sample_dpm2_ancestral, x, levels, tiny_network, seed=1)
    torch.testing.assert_close(expected, actual, rtol=0, atol=1e-4)


@pytest.mark.parametrize("function", [sample_dpm2, sample_dpm2_ancestral])
def test_the_data_keeps_its_mean_and_spread(keeps_the_data, function):
    actual, expected = keeps_the_data(function)
    assert actual == expected
