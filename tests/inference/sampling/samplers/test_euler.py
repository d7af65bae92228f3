import math

import pytest
import torch
from diffusers import DDIMScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler

from inference.sampling.initial_latent import from_noise
from inference.sampling.noise_table import NoiseTable
from inference.sampling.samplers.core import ancestral_step
from inference.sampling.samplers.euler import sample_ddim, sample_euler, sample_euler_ancestral
from inference.sampling.step_plan import plan_noise_levels

# Diffusers 0.42 turns tensors to arrays in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def epsilon_of(denoise, x, sigma):
    return (x - denoise(x, sigma)) / sigma


def test_euler_is_of_first_order(order_of):
    assert order_of(sample_euler) == pytest.approx([1, 1], abs=0.1)


def test_ddim_is_of_first_order(order_of):
    slopes = order_of(sample_ddim, scale=lambda x, sigma: x * math.sqrt(1 + sigma**2))
    assert slopes == pytest.approx([1, 1], abs=0.1)


@pytest.mark.parametrize("steps", [1, 4, 20])
def test_euler_equals_diffusers(tiny_network, run_sampler, steps):
    scheduler = EulerDiscreteScheduler(**SD, timestep_spacing="linspace", steps_offset=0)
    scheduler.set_timesteps(steps)
    sigmas = [float(s) for s in scheduler.sigmas]
    x = torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(1)) * sigmas[0]
    actual, _ = run_sampler(sample_euler, x, sigmas, tiny_network)
    for t, sigma in zip(scheduler.timesteps, sigmas, strict=False):
        scheduler.scale_model_input(x, t)
        x = scheduler.step(epsilon_of(tiny_network, x, sigma), t, x).prev_sample
    torch.testing.assert_close(x, actual, rtol=0, atol=1e-4)


def test_euler_ancestral_equals_diffusers_with_the_same_seed(tiny_network, run_sampler):
    scheduler = EulerAncestralDiscreteScheduler(**SD, timestep_spacing="linspace")
    scheduler.set_timesteps(12)
    sigmas = [float(s) for s in scheduler.sigmas]
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(4, 8, 8, generator=generator) * sigmas[0]
    actual, _ = run_sampler(sample_euler_ancestral, x, sigmas, tiny_network, seed=5)
    for t, sigma in zip(scheduler.timesteps, sigmas, strict=False):
        scheduler.scale_model_input(x, t)
        output = epsilon_of(tiny_network, x, sigma)
        x = scheduler.step(output, t, x, generator=generator).prev_sample
    torch.testing.assert_close(x, actual, rtol=0, atol=1e-4)


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 7, 20, 30])
def test_ddim_equals_diffusers(tiny_network, run_sampler, steps, eta):
    scheduler = DDIMScheduler(**SD, steps_offset=1, clip_sample=False, set_alpha_to_one=False)
    scheduler.set_timesteps(steps)
    table = NoiseTable.from_alphas_cumprod(scheduler.alphas_cumprod.double().tolist())
    layout = plan_noise_levels("DDIM", "Automatic", steps, None, table)
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(4, 8, 8, generator=generator)

    def run(x, sigmas, noise):
        return sample_ddim(x, sigmas, noise, eta=eta)

    start = from_noise(layout, x)
    actual, _ = run_sampler(run, start, layout.sigmas, tiny_network, seed=5)
    for t, sigma in zip(scheduler.timesteps, layout.sigmas, strict=False):
        output = epsilon_of(tiny_network, x * math.sqrt(1 + sigma**2), sigma)
        x = scheduler.step(output, int(t), x, eta=eta, generator=generator).prev_sample
    torch.testing.assert_close(x, actual, rtol=0, atol=1e-4)


@pytest.mark.parametrize("function", [sample_euler_ancestral, sample_euler])
def test_the_data_keeps_its_mean_and_spread(keeps_the_data, function):
    actual, expected = keeps_the_data(function)
    assert actual == expected


def test_ancestral_step_splits_the_variance():
    down, up = ancestral_step(4.0, 2.0)
    assert pytest.approx(math.hypot(down, up)) == 2.0
    assert math.sqrt(4 * 12 / 16) == pytest.approx(up)
    assert ancestral_step(4.0, 2.0, eta=0.0) == (2.0, 0.0)
    assert ancestral_step(4.0, 0.0) == (0.0, 0.0)
