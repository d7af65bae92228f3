import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.sampling.noise_table import NoiseTable
from inference.sampling.sampler_traits import SAMPLER_TRAITS
from inference.sampling.schedules import SCHEDULE_FUNCTIONS, ddim_timesteps, schedule_sigmas
from inference.sampling.step_plan import (
    MIN_STRENGTH,
    count_network_calls,
    count_run_steps,
    plan_noise_levels,
)

TABLE = NoiseTable.from_config({})
TIMESTEP = [name for name, traits in SAMPLER_TRAITS.items() if traits.timestep_based]
SIGMA = [name for name in SAMPLER_TRAITS if name not in TIMESTEP]


@pytest.mark.parametrize(
    ("steps", "strength", "expected"),
    [(20, 0.75, 16), (20, 0.5, 11), (20, 1.0, 20), (20, 0.04, 1), (20, 0.02, 1), (20, 0.0, 0)],
)
def test_a_share_of_the_steps_runs(steps, strength, expected):
    actual = plan_noise_levels("Euler a", "Automatic", steps, strength, TABLE, exact=False)
    assert actual.step_count == expected
    assert steps - expected == actual.start_index
    assert (
        schedule_sigmas("Uniform", steps, TABLE)[steps - expected :] == actual.sigmas
        or expected == 0
    )


@pytest.mark.parametrize("sampler", TIMESTEP)
@pytest.mark.parametrize(
    ("steps", "strength", "expected"),
    [(20, 0.75, 15), (20, 0.5, 10), (20, 1.0, 19), (20, 0.04, 0), (20, 0.0, 0)],
)
def test_timestep_samplers_run_one_step_less_of_a_share(sampler, steps, strength, expected):
    actual = plan_noise_levels(sampler, "Karras", steps, strength, TABLE, exact=False)
    assert actual.step_count == expected
    assert count_run_steps(steps, strength, False, sampler) == expected
    if expected:
        timesteps = ddim_timesteps(steps, TABLE)
        assert TABLE.t_to_sigma(timesteps[expected]) == actual.noise_sigma
        assert TABLE.t_to_sigma(timesteps[expected - 1]) == actual.sigmas[0]
        assert TABLE.sigma_min == actual.sigmas[-1]


@pytest.mark.parametrize(
    ("steps", "strength", "length"),
    [(20, 0.5, 40), (50, 0.3, 166), (20, 0.04, 500), (20, 1.0, 20), (20, 0.02, 1000)],
)
def test_exactly_as_many_steps_run_at_the_end_of_a_longer_schedule(steps, strength, length):
    actual = plan_noise_levels("Euler", "Karras", steps, strength, TABLE, exact=True)
    assert steps == actual.step_count
    assert length - steps == actual.start_index
    assert schedule_sigmas("Karras", length, TABLE)[length - steps :] == actual.sigmas
    assert actual.sigmas[0] == actual.noise_sigma


@pytest.mark.parametrize("sampler", TIMESTEP)
def test_exact_timestep_samplers_start_at_the_level_they_first_see(sampler):
    actual = plan_noise_levels(sampler, "Automatic", 20, 0.5, TABLE, exact=True)
    timesteps = ddim_timesteps(40, TABLE)
    assert actual.step_count == 20
    assert TABLE.t_to_sigma(timesteps[19]) == actual.sigmas[0] == actual.noise_sigma


@pytest.mark.parametrize("sampler", SAMPLER_TRAITS)
def test_strength_zero_runs_nothing(sampler):
    for exact in (True, False):
        actual = plan_noise_levels(sampler, "Automatic", 20, 0.0, TABLE, exact)
        assert (actual.sigmas, actual.step_count, actual.network_calls) == ((), 0, 0)


def test_strengths_below_the_floor_are_the_floor():
    floor = plan_noise_levels("Euler", "Automatic", 150, MIN_STRENGTH, TABLE)
    assert plan_noise_levels("Euler", "Automatic", 150, 1e-9, TABLE) == floor
    assert floor.start_index == 15000 - 150


@pytest.mark.parametrize("sampler", SIGMA)
def test_pure_noise_takes_the_whole_schedule(sampler):
    actual = plan_noise_levels(sampler, "Exponential", 20, None, TABLE)
    assert (actual.start_index, actual.step_count) == (0, 20)
    assert TABLE.sigma_max == pytest.approx(actual.sigmas[0])
    assert actual.sigmas[-1] == 0


@pytest.mark.parametrize("sampler", TIMESTEP)
def test_pure_noise_takes_all_of_ddims_timesteps(sampler):
    actual = plan_noise_levels(sampler, "Karras", 20, None, TABLE)
    assert (actual.step_count, actual.start_index, actual.variance_preserving) == (20, 0, True)
    assert TABLE.sigmas[951] == actual.sigmas[0] == actual.noise_sigma


@pytest.mark.parametrize("sampler", ["DPM2", "DPM2 a", "DPM++ 3M SDE"])
def test_some_samplers_drop_the_last_but_one_level(sampler):
    longer = schedule_sigmas("Karras", 11, TABLE)
    expected = (*longer[:-2], 0.0)
    assert plan_noise_levels(sampler, "Karras", 10, None, TABLE).sigmas == expected
    assert plan_noise_levels(sampler, "Karras", 10, 0.5, TABLE, exact=False).sigmas == expected[4:]
    assert len([name for name in SAMPLER_TRAITS if SAMPLER_TRAITS[name].discard_penultimate]) == 3


@pytest.mark.parametrize(
    ("sampler", "schedule"),
    [("Euler", "Uniform"), ("DPM++ 2M", "Karras"), ("DPM++ 2M SDE", "Exponential")],
)
def test_automatic_is_the_samplers_own_schedule(sampler, schedule):
    automatic = plan_noise_levels(sampler, "Automatic", 12, None, TABLE)
    assert plan_noise_levels(sampler, schedule, 12, None, TABLE) == automatic
    assert automatic != plan_noise_levels(sampler, "SGM Uniform", 12, None, TABLE)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(SAMPLER_TRAITS)),
    st.integers(1, 150),
    st.one_of(st.none(), st.floats(0, 1)),
    st.booleans(),
)
def test_the_price_is_known_without_the_plan(sampler, steps, strength, exact):
    laid_out = plan_noise_levels(sampler, "Automatic", steps, strength, TABLE, exact)
    assert count_run_steps(steps, strength, exact, sampler) == laid_out.step_count
    assert count_network_calls(steps, strength, exact, sampler) == laid_out.network_calls
    if exact and strength != 0:
        assert laid_out.step_count == steps


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Euler b", "Karras", 20, None), "no sampler 'Euler b'.*Euler a"),
        (("Euler", "Karas", 20, None), "no schedule 'Karas'"),
        (("Euler", "Karras", 0, None), "one step or more, not 0"),
        (("Euler", "Karras", 20, 1.5), "from 0 to 1, not 1.5"),
        (("Euler", "Karras", 20, -0.1), "from 0 to 1, not -0.1"),
        (("Euler", "Karras", 20, float("nan")), "from 0 to 1, not nan"),
    ],
)
def test_bad_input_says_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        plan_noise_levels(*arguments, TABLE)


def test_schedules_named_here_exist():
    assert {traits.default_schedule for traits in SAMPLER_TRAITS.values()} <= set(
        SCHEDULE_FUNCTIONS
    )
