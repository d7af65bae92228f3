import math

import pytest
import torch

from inference.sampling.initial_latent import from_latent, from_noise
from inference.sampling.noise_table import NoiseTable
from inference.sampling.step_plan import plan_noise_levels

TABLE = NoiseTable.from_config({})


@pytest.fixture
def latent():
    return torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(8))


@pytest.fixture
def noise():
    return torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(9))


def test_pure_noise_has_the_first_levels_spread(noise):
    layout = plan_noise_levels("Euler", "Karras", 20, None, TABLE)
    torch.testing.assert_close(noise * TABLE.sigma_max, from_noise(layout, noise))


def test_pure_noise_is_the_whole_latent_of_a_timestep_sampler(noise):
    layout = plan_noise_levels("DDIM", "Automatic", 20, None, TABLE)
    expected = noise * math.sqrt(1 + layout.sigmas[0] ** 2)
    torch.testing.assert_close(expected, from_noise(layout, noise))


def test_latent_plus_noise_times_sigma(latent, noise):
    layout = plan_noise_levels("Euler", "Karras", 20, 0.5, TABLE)
    expected = latent + noise * layout.sigmas[0]
    torch.testing.assert_close(expected, from_latent(layout, latent, noise))


def test_noise_multiplier_and_extra_noise(latent, noise):
    layout = plan_noise_levels("Euler", "Karras", 20, 0.5, TABLE)
    expected = latent + 0.8 * noise * (layout.sigmas[0] + 0.1)
    actual = from_latent(layout, latent, noise, multiplier=0.8, extra=0.1)
    torch.testing.assert_close(expected, actual)


@pytest.mark.parametrize("extra", [0.0, 0.2])
def test_timestep_samplers_start_from_the_ddpm_form(latent, noise, extra):
    layout = plan_noise_levels("DDIM", "Automatic", 20, 0.75, TABLE, exact=False)
    bar = 1 / (1 + TABLE.sigmas[751] ** 2)
    preserving = math.sqrt(bar) * latent + math.sqrt(1 - bar) * noise
    preserving = preserving + math.sqrt(bar) * extra * noise
    actual = from_latent(layout, latent, noise, extra=extra)
    actual = actual / math.sqrt(1 + TABLE.sigmas[701] ** 2)
    torch.testing.assert_close(preserving, actual)


def test_no_steps_leave_the_latent(latent, noise):
    layout = plan_noise_levels("Euler", "Karras", 20, 0.0, TABLE)
    assert torch.equal(latent, from_latent(layout, latent, noise))
