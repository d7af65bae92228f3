import math

import pytest
import torch
from diffusers import LMSDiscreteScheduler, PNDMScheduler
from scipy import integrate

from inference.sampling.noise_table import NoiseTable
from inference.sampling.samplers.multistep import lms_weights, sample_lms, sample_plms
from inference.sampling.step_plan import plan_noise_levels

# Diffusers 0.42 turns tensors to arrays in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def test_lms_starts_low_and_ends_near_third_order(order_of):
    assert min(order_of(sample_lms)) > 3.0


def test_plms_is_of_second_order_on_uneven_steps(order_of):
    slopes = order_of(sample_plms, scale=lambda x, sigma: x * math.sqrt(1 + sigma**2))
    assert slopes == pytest.approx([2, 2], abs=0.1)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_lms_weights_are_the_integrals_of_the_lagrange_polynomials(count):
    nodes = [3.0, 4.5, 7.0, 11.0][:count]
    for j, actual in enumerate(lms_weights(nodes, 3.0, 1.5)):

        def polynomial(at, j=j):
            others = [node for k, node in enumerate(nodes) if k != j]
            return math.prod((at - node) / (nodes[j] - node) for node in others)

        assert integrate.quad(polynomial, 3.0, 1.5)[0] == pytest.approx(actual)


@pytest.mark.parametrize("karras", [False, True])
def test_lms_equals_diffusers(tiny_network, run_sampler, exploding_oracle, noise_latent, karras):
    scheduler = LMSDiscreteScheduler(**SD, use_karras_sigmas=karras)
    scheduler.set_timesteps(12)
    levels = [float(s) for s in scheduler.sigmas]
    x = noise_latent * levels[0]
    expected = exploding_oracle(scheduler, x, tiny_network)
    actual, _ = run_sampler(sample_lms, x, levels, tiny_network)
    torch.testing.assert_close(expected, actual, rtol=0, atol=2e-4)


@pytest.mark.parametrize("steps", [2, 5, 20])
def test_plms_equals_diffusers(tiny_network, run_sampler, noise_latent, steps):
    scheduler = PNDMScheduler(**SD, skip_prk_steps=True, steps_offset=1, set_alpha_to_one=False)
    scheduler.set_timesteps(steps)
    table = NoiseTable.from_alphas_cumprod(scheduler.alphas_cumprod.double().tolist())
    levels = plan_noise_levels("PLMS", "Automatic", steps, None, table).sigmas
    actual, seen = run_sampler(
        sample_plms, noise_latent * math.sqrt(1 + levels[0] ** 2), levels, tiny_network
    )
    x = noise_latent
    for t in scheduler.timesteps:
        sigma = table.sigmas[int(t)]
        exploding = x * math.sqrt(1 + sigma**2)
        output = (exploding - tiny_network(exploding, sigma)) / sigma
        x = scheduler.step(output, int(t), x).prev_sample
    torch.testing.assert_close(x, actual, rtol=0, atol=1e-4)
    assert len(seen) == steps + 1
