from inference.api.jobs.names import TWO_CALL_SAMPLERS
from inference.sampling.sampler_traits import SAMPLER_TRAITS


def test_prices_count_the_calls_that_samplers_make():
    twice = {name for name, traits in SAMPLER_TRAITS.items() if traits.network_calls(20) > 30}
    assert twice == set(TWO_CALL_SAMPLERS)
