import pytest

from inference.api.jobs.names import SAMPLER_NAMES, TWO_CALL_SAMPLERS
from inference.api.jobs.price import _executed_steps
from inference.sampling.noise_table import NoiseTable
from inference.sampling.sampler_traits import SAMPLER_TRAITS
from inference.sampling.step_plan import plan_noise_levels


def test_prices_count_the_calls_that_samplers_make():
    twice = {name for name, traits in SAMPLER_TRAITS.items() if traits.network_calls(20) == 39}
    assert twice == set(TWO_CALL_SAMPLERS)


@pytest.mark.parametrize("sampler", SAMPLER_NAMES)
@pytest.mark.parametrize("strength", [None, 0.5])
@pytest.mark.parametrize("exact", [True, False])
def test_prices_count_the_steps_that_schedule_ddim_adds(sampler, strength, exact):
    for steps in (1, 20, 30, 60, 150):
        plan = plan_noise_levels(
            sampler, "DDIM", steps, strength, NoiseTable.from_config({}), exact
        )
        counted = _executed_steps(sampler, steps, strength, exact=exact, schedule="DDIM")
        assert counted == plan.step_count or sampler in ("DPM2", "DPM2 a", "DPM++ 3M SDE"), steps
