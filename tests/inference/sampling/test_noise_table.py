import math

import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.sampling.noise_table import NoiseTable, linspace, rescale_zero_terminal_snr

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
TABLE = NoiseTable.from_config({})


@pytest.mark.parametrize(
    "config", [SD, {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}]
)
def test_config_gives_the_training_noise_of_diffusers(config):
    expected = DDIMScheduler(**config).alphas_cumprod
    actual = torch.tensor(NoiseTable.from_config(config).sigmas)
    torch.testing.assert_close(((1 - expected) / expected).sqrt(), actual, rtol=1e-4, atol=0)


def test_published_ends_of_stable_diffusion():
    assert round(TABLE.sigma_min, 4) == 0.0292
    assert round(TABLE.sigma_max, 4) == 14.6146
    assert len(TABLE.sigmas) == 1000


def test_trained_betas_win_over_a_named_schedule():
    assert math.sqrt(1 / 3) == pytest.approx(
        NoiseTable.from_config({**SD, "trained_betas": [0.25, 0.5]}).sigmas[0]
    )


def test_unknown_beta_schedule_names_the_known_ones():
    with pytest.raises(ValueError, match=r"'squared'.*scaled_linear"):
        NoiseTable.from_config({"beta_schedule": "squared"})


@pytest.mark.parametrize("sigmas", [(1.0,), (0.0, 1.0), (2.0, 1.0), (1.0, 1.0)])
def test_refuses_levels_that_do_not_rise(sigmas):
    with pytest.raises(ValueError, match="rising"):
        NoiseTable(sigmas)


@pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")
def test_zero_terminal_snr_follows_diffusers_below_the_last_step():
    scheduler = EulerDiscreteScheduler(**SD, rescale_betas_zero_snr=True)
    config = {**SD, "rescale_betas_zero_snr": True}
    expected = ((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod).sqrt()[:990]
    actual = torch.tensor(NoiseTable.from_config(config).sigmas[:990])
    torch.testing.assert_close(expected, actual, rtol=2e-3, atol=0)
    assert round(NoiseTable.from_config(config).sigma_max, 2) == 4518.76


def test_zero_terminal_snr_keeps_the_first_step():
    alphas = [0.99, 0.5, 0.01]
    assert pytest.approx(rescale_zero_terminal_snr(alphas)[0]) == 0.99


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 999))
def test_timesteps_survive_the_way_to_sigma_and_back(t):
    assert pytest.approx(TABLE.sigma_to_t(TABLE.t_to_sigma(t)), abs=1e-6) == t


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-4, 1e4))
def test_sigma_to_t_stays_inside_the_training(sigma):
    t = TABLE.sigma_to_t(sigma)
    assert 0 <= t <= 999
    if TABLE.sigma_min <= sigma <= TABLE.sigma_max:
        assert pytest.approx(TABLE.t_to_sigma(t), rel=1e-9) == sigma


@pytest.mark.parametrize(("t", "expected"), [(-5, 0), (2000, 999)])
def test_timesteps_outside_are_clamped(t, expected):
    assert TABLE.t_to_sigma(t) == TABLE.sigmas[expected]


def test_linspace_of_one_is_its_start():
    assert linspace(3.0, 1.0, 1) == [3.0]
    assert linspace(3.0, 1.0, 3) == [3.0, 2.0, 1.0]
