import math
from functools import partial

import pytest
import torch

from inference.sampling.samplers.dpm_adaptive import (
    MAX_TRIES,
    RELATIVE_TOLERANCE,
    sample_dpm_adaptive,
)

ENDS = (14.6146, 0.0291671)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_it_calls_three_times_a_try_and_ends_at_the_last_level(
    tiny_network, run_sampler, noise_latent, eta
):
    sampler = partial(sample_dpm_adaptive, eta=eta)
    result, seen = run_sampler(sampler, noise_latent * ENDS[0], ENDS, tiny_network)
    assert len(seen) % 3 == 0
    assert seen[0] == ENDS[0]
    assert min(seen) >= ENDS[1]
    assert torch.isfinite(result).all()


def test_without_noise_it_follows_the_flow(gaussian, run_sampler):
    x = gaussian.noised(ENDS[0], (1, 4, 4)).double()
    result, seen = run_sampler(partial(sample_dpm_adaptive, eta=0.0), x, ENDS, gaussian.denoise)
    exact = gaussian.flow(x, *ENDS)
    assert (result - exact).abs().max() < 2 * RELATIVE_TOLERANCE * exact.abs().max()
    assert len(seen) < 60


def test_with_noise_the_data_keeps_its_mean_and_spread(gaussian, run_sampler):
    x = gaussian.noised(ENDS[0], (4, 48, 48), seed=1)
    result, _ = run_sampler(sample_dpm_adaptive, x, ENDS, gaussian.denoise)
    assert [result.mean().item(), result.std().item()] == pytest.approx([0.7, 0.6], abs=0.05)


def test_steps_are_those_of_the_controller(run_sampler):
    """Worked by hand: data that is one point has no error, so each step grows by 1 + π/2."""
    x = torch.ones(1, 2, 2).double()
    _, seen = run_sampler(
        partial(sample_dpm_adaptive, eta=0.0), x, ENDS, lambda x, sigma: torch.zeros_like(x)
    )
    place, length, starts = math.log(ENDS[0]), 0.05, []
    while place - math.log(ENDS[1]) > 1e-5:
        starts.append(math.exp(place))
        place = max(place - length, math.log(ENDS[1]))
        length *= 1 + math.atan(1e8 ** (1 / 3) - 1)
    assert seen[::3] == pytest.approx(starts, rel=1e-6)


def test_a_network_that_never_agrees_with_itself_comes_to_an_end(run_sampler, noise_latent):
    flip = iter(range(10**6))
    _, seen = run_sampler(
        sample_dpm_adaptive,
        noise_latent * ENDS[0],
        ENDS,
        lambda x, sigma: x + 1e6 * (-1) ** next(flip),
    )
    assert len(seen) <= 3 * MAX_TRIES


def test_numbers_that_are_none_end_at_once(run_sampler, noise_latent):
    result, seen = run_sampler(
        sample_dpm_adaptive, noise_latent, ENDS, lambda x, sigma: torch.full_like(x, math.nan)
    )
    assert len(seen) == 3
    assert result.isnan().all()
