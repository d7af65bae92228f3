import pytest
import torch
from diffusers import DPMSolverMultistepScheduler

from inference.sampling.samplers.dpmpp_multistep import (
    sample_dpmpp_2m,
    sample_dpmpp_2m_sde,
    sample_dpmpp_2m_sde_heun,
    sample_dpmpp_3m_sde,
)

# Diffusers 0.42 turns tensors to arrays in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def scheduler_of(steps, **options):
    scheduler = DPMSolverMultistepScheduler(**SD, use_karras_sigmas=True, **options)
    scheduler.set_timesteps(steps)
    return scheduler, [float(s) for s in scheduler.sigmas]


def without_noise(function, **options):
    return lambda *row: function(*row, eta=0.0, **options)


@pytest.mark.parametrize(
    "function",
    [
        sample_dpmpp_2m,
        without_noise(sample_dpmpp_2m_sde),
        without_noise(sample_dpmpp_2m_sde, solver="heun"),
        without_noise(sample_dpmpp_3m_sde),
    ],
)
def test_without_noise_order_is_two_or_more(order_of, function):
    assert min(order_of(function)) > 1.9


def test_third_order_steps_beat_second_order_ones(gaussian, run_sampler, ramp):
    x = gaussian.noised(10.0, (1, 2, 8)).double()
    exact = gaussian.flow(x, 10.0, 0.1)
    second, _ = run_sampler(without_noise(sample_dpmpp_2m_sde), x, ramp(24), gaussian.denoise)
    third, _ = run_sampler(without_noise(sample_dpmpp_3m_sde), x, ramp(24), gaussian.denoise)
    assert (third - exact).abs().max() < 0.5 * (second - exact).abs().max()


@pytest.mark.parametrize("steps", [1, 3, 20])
def test_2m_equals_diffusers(tiny_network, run_sampler, preserving_oracle, noise_latent, steps):
    scheduler, levels = scheduler_of(steps)
    x = noise_latent * levels[0]
    expected = preserving_oracle(scheduler, x, levels, tiny_network)
    actual, _ = run_sampler(sample_dpmpp_2m, x, levels, tiny_network)
    torch.testing.assert_close(expected, actual, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("function", "solver"), [(sample_dpmpp_2m_sde, "midpoint"), (sample_dpmpp_2m_sde_heun, "heun")]
)
def test_2m_sde_equals_diffusers(
    tiny_network, play, preserving_oracle, noise_latent, function, solver
):
    scheduler, levels = scheduler_of(20, algorithm_type="sde-dpmsolver++", solver_type=solver)
    x = noise_latent * levels[0]
    generator = torch.Generator().manual_seed(9)
    expected = preserving_oracle(scheduler, x, levels, tiny_network, generator=generator)
    generator.manual_seed(9)
    noises = [torch.randn(4, 8, 8, generator=generator) for _ in range(20)]
    actual = play(function, x, levels, tiny_network, noises)
    torch.testing.assert_close(expected, actual, rtol=0, atol=1e-4)


def test_3m_without_noise_equals_diffusers(
    tiny_network, run_sampler, preserving_oracle, noise_latent
):
    scheduler, levels = scheduler_of(20, solver_order=3, solver_type="heun")
    x = noise_latent * levels[0]
    expected = preserving_oracle(scheduler, x, levels, tiny_network)
    actual, _ = run_sampler(without_noise(sample_dpmpp_3m_sde), x, levels, tiny_network)
    torch.testing.assert_close(expected, actual, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "function",
    [sample_dpmpp_2m, sample_dpmpp_2m_sde, sample_dpmpp_2m_sde_heun, sample_dpmpp_3m_sde],
)
def test_the_data_keeps_its_mean_and_spread(keeps_the_data, function):
    actual, expected = keeps_the_data(function)
    assert actual == expected
