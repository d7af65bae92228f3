import math

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
    end = TABLE.sigma_min if SAMPLER_TRAITS[sampler].between_ends else 0
    assert actual.sigmas[-1] == pytest.approx(end)


@pytest.mark.parametrize("sampler", ["DDIM", "PLMS"])
def test_pure_noise_takes_all_of_ddims_timesteps(sampler):
    actual = plan_noise_levels(sampler, "Karras", 20, None, TABLE)
    assert (actual.step_count, actual.start_index, actual.variance_preserving) == (20, 0, True)
    assert TABLE.sigmas[951] == actual.sigmas[0] == actual.noise_sigma


@pytest.mark.parametrize("steps", [1, 7, 20])
def test_unipc_is_even_in_time_from_the_last_timestep_to_the_first(steps):
    actual = plan_noise_levels("UniPC", "Karras", steps, None, TABLE)
    expected = [TABLE.t_to_sigma(999 - 999 * i / steps) for i in range(steps + 1)]
    assert list(actual.sigmas) == pytest.approx(expected)
    assert (actual.noise_sigma, actual.network_calls) == (TABLE.sigma_max, steps)


def test_unipc_of_a_picture_is_even_from_ddims_timestep():
    # 20 steps at 0.5: noised to timestep 501, then ten even steps from 451 to 0.
    actual = plan_noise_levels("UniPC", "Automatic", 20, 0.5, TABLE, exact=False)
    expected = [TABLE.t_to_sigma(45.1 * i) for i in range(10, -1, -1)]
    assert list(actual.sigmas) == pytest.approx(expected)
    assert actual.noise_sigma == TABLE.sigmas[501]


def test_lcm_keeps_to_the_fifty_steps_it_was_distilled_at():
    actual = plan_noise_levels("LCM", "Automatic", 50, None, TABLE)
    assert actual.sigmas == (*(TABLE.sigmas[t] for t in range(999, 0, -20)), 0.0)
    # Of four steps: 999, and evenly on by place among the fifty, in log sigma.
    logs = [math.log(TABLE.sigmas[t]) for t in range(19, 1000, 20)]
    between = [
        math.exp(logs[k] + f * (logs[k + 1] - logs[k])) for k, f in ((32, 2 / 3), (16, 1 / 3))
    ]
    four = plan_noise_levels("LCM", "Automatic", 4, None, TABLE)
    assert list(four.sigmas) == pytest.approx([TABLE.sigma_max, *between, TABLE.sigmas[19], 0.0])


@pytest.mark.parametrize("sampler", ["DPM fast", "DPM adaptive"])
def test_solvers_between_two_ends_take_the_trainings_own_or_the_parts(sampler):
    whole = plan_noise_levels(sampler, "Simple", 20, None, TABLE)
    assert (whole.sigmas[0], whole.sigmas[-1]) == pytest.approx((TABLE.sigma_max, TABLE.sigma_min))
    part = plan_noise_levels(sampler, "Simple", 20, 0.5, TABLE, exact=False)
    simple = schedule_sigmas("Simple", 20, TABLE)[9:]
    assert (part.sigmas[0], part.sigmas[-1]) == pytest.approx((simple[0], simple[-2]))
    assert (part.step_count, part.noise_sigma) == (11, pytest.approx(simple[0]))


@pytest.mark.parametrize("strength", [None, 0.5])
def test_the_span_is_that_of_the_whole_schedule(strength):
    levels = schedule_sigmas("Exponential", 20, TABLE)
    actual = plan_noise_levels("DPM++ 2M SDE", "Automatic", 20, strength, TABLE, exact=False)
    assert actual.span == (levels[-2], levels[0])


def test_an_exact_run_on_schedule_ddim_has_as_many_steps_as_asked():
    actual = plan_noise_levels("Euler", "DDIM", 30, 0.3, TABLE)
    assert (actual.step_count, actual.sigmas[0]) == (30, TABLE.sigmas[1 + 29 * 10])


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
