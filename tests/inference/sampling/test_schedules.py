import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inference.sampling.noise_table import NoiseTable
from inference.sampling.schedules import SCHEDULE_FUNCTIONS, ddim_timesteps, schedule_sigmas

# Diffusers 0.42 turns tensors to arrays in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
TABLE = NoiseTable.from_config({})
ZERO_SNR = NoiseTable.from_config({"rescale_betas_zero_snr": True})


@pytest.mark.parametrize("name", SCHEDULE_FUNCTIONS)
@pytest.mark.parametrize("table", [TABLE, ZERO_SNR], ids=["sd", "zero-snr"])
@settings(max_examples=8, deadline=None)
@example(steps=1000)
@given(steps=st.integers(1, 300))
def test_every_schedule_falls_to_zero_in_as_many_steps_as_asked(name, table, steps):
    levels = schedule_sigmas(name, steps, table)
    assert len(levels) == steps + 1 or name == "DDIM"
    assert levels[-1] == 0
    assert all(high > low for high, low in pairwise(levels))


@pytest.mark.parametrize("name", sorted(set(SCHEDULE_FUNCTIONS) - {"DDIM", "Align Your Steps"}))
@pytest.mark.parametrize("steps", [1, 2, 20, 150])
def test_schedules_start_at_the_highest_trained_level(name, steps):
    assert pytest.approx(schedule_sigmas(name, steps, TABLE)[0]) == TABLE.sigma_max


@pytest.mark.parametrize("name", ["Uniform", "Karras", "Exponential", "Normal", "Beta"])
def test_some_schedules_end_at_the_lowest_trained_level(name):
    assert pytest.approx(schedule_sigmas(name, 10, TABLE)[-2]) == TABLE.sigma_min


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Uniform", {"timestep_spacing": "linspace"}),
        ("Karras", {"use_karras_sigmas": True}),
        ("Exponential", {"use_exponential_sigmas": True}),
        ("Beta", {"use_beta_sigmas": True}),
        ("DDIM", {"timestep_spacing": "leading", "steps_offset": 1}),
    ],
)
@pytest.mark.parametrize("steps", [2, 10, 25, 60])
def test_equals_diffusers_where_both_have_the_schedule(name, options, steps):
    scheduler = EulerDiscreteScheduler(**SD, **options)
    scheduler.set_timesteps(steps)
    actual = torch.tensor(schedule_sigmas(name, steps, TABLE)[-steps - 1 :])
    torch.testing.assert_close(scheduler.sigmas, actual, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Worked by hand from each formula with sigma from 0.02916716 to 14.61464123.
        ("Polyexponential", [14.6146, 0.652890, 0.029167, 0.0]),
        ("SGM Uniform", [14.6146, TABLE.t_to_sigma(666), TABLE.t_to_sigma(333), 0.0]),
        ("Simple", [14.6146, TABLE.sigmas[-334], TABLE.sigmas[-667], 0.0]),
        ("Normal", [14.6146, TABLE.t_to_sigma(499.5), 0.029167, 0.0]),
        ("DDIM", [TABLE.sigmas[667], TABLE.sigmas[334], TABLE.sigmas[1], 0.0]),
        ("Align Your Steps", [14.615, 1.396, 0.029, 0.0]),
    ],
)
def test_three_steps(name, expected):
    assert pytest.approx(list(schedule_sigmas(name, 3, TABLE)), rel=1e-4) == expected


@pytest.mark.parametrize(
    ("steps", "levels", "first"), [(20, 20, 951), (30, 31, 991), (60, 63, 993), (150, 167, 997)]
)
def test_schedule_ddim_goes_up_to_the_highest_noise(steps, levels, first):
    actual = schedule_sigmas("DDIM", steps, TABLE)
    assert (len(actual) - 1, actual[0]) == (levels, TABLE.sigmas[first])


def test_kl_optimal_is_even_in_the_arctangent():
    angles = [math.atan(level) for level in schedule_sigmas("KL Optimal", 8, TABLE)[:-1]]
    gaps = [high - low for high, low in pairwise(angles)]
    whole = math.atan(TABLE.sigma_max) - math.atan(TABLE.sigma_min)
    assert [whole / 8] * 7 == pytest.approx(gaps)


@pytest.mark.parametrize(("family", "second"), [("sd", 6.475), ("sdxl", 6.315)])
def test_align_your_steps_keeps_the_published_levels(family, second):
    table = NoiseTable(TABLE.sigmas, family)
    levels = schedule_sigmas("Align Your Steps", 11, table)
    assert [14.615, second, 0.029, 0.0] == pytest.approx([*levels[:2], *levels[-2:]])


def test_align_your_steps_interpolates_in_log_sigma():
    known = np.log(schedule_sigmas("Align Your Steps", 11, TABLE)[:-1])
    expected = np.exp(np.interp(np.linspace(0, 10, 25), np.arange(11), known))
    assert list(expected) == pytest.approx(schedule_sigmas("Align Your Steps", 25, TABLE)[:-1])


@pytest.mark.parametrize(
    ("steps", "first", "last"), [(1, 1, 1), (20, 1, 951), (30, 1, 958), (1000, 1, 999)]
)
def test_ddim_timesteps(steps, first, last):
    timesteps = ddim_timesteps(steps, TABLE)
    assert (len(timesteps), timesteps[0], timesteps[-1]) == (steps, first, last)


def test_ddim_timesteps_of_more_steps_than_training_share_it():
    timesteps = ddim_timesteps(4000, TABLE)
    assert timesteps[:3] == pytest.approx([1, 1 + 998 / 3999, 1 + 2 * 998 / 3999])
    assert timesteps[-1] == pytest.approx(999)


def test_an_unknown_schedule_names_the_known_ones():
    with pytest.raises(ValueError, match=r"no schedule 'Caras'.*Karras"):
        schedule_sigmas("Caras", 10, TABLE)


def test_a_schedule_needs_a_step():
    with pytest.raises(ValueError, match="one step or more, not 0"):
        schedule_sigmas("Karras", 0, TABLE)
