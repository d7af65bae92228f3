import pytest
import torch
from diffusers import LCMScheduler

from inference.sampling.samplers.lcm import sample_lcm

# Diffusers 0.42 turns tensors to arrays in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def test_lcm_equals_diffusers_away_from_its_boundary(
    tiny_network, run_sampler, preserving_oracle, noise_latent
):
    # A huge timestep scaling makes the boundary scalings 0 and 1 at every timestep.
    scheduler = LCMScheduler(**SD, timestep_scaling=1e6)
    scheduler.set_timesteps(4)
    bars = scheduler.alphas_cumprod[scheduler.timesteps]
    levels = [*((1 - bars) / bars).sqrt().tolist(), 0.0]
    x = noise_latent * levels[0]
    generator = torch.Generator().manual_seed(2)
    torch.randn(4, 8, 8, generator=generator)
    expected = preserving_oracle(scheduler, x, levels, tiny_network, generator=generator)
    actual, _ = run_sampler(sample_lcm, x, levels, tiny_network, seed=2)
    torch.testing.assert_close(expected, actual, rtol=0, atol=1e-4)


def test_each_call_sees_a_freshly_noised_clean_latent(run_sampler):
    clean = torch.full((4, 64, 64), 0.5)
    spreads = []

    def denoise(x, sigma):
        spreads.append((x - clean).std().item() / sigma)
        return clean

    result, _ = run_sampler(
        sample_lcm, clean + 10 * torch.randn(4, 64, 64), [10.0, 3.0, 0.3, 0.0], denoise
    )
    assert pytest.approx(spreads, rel=0.03) == [1, 1, 1]
    assert torch.equal(clean, result)
