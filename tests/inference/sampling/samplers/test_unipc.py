import math

import pytest
import torch
from diffusers import UniPCMultistepScheduler

from inference.sampling.samplers.dpmpp_multistep import sample_dpmpp_2m
from inference.sampling.samplers.unipc import sample_unipc

# Diffusers 0.42 turns tensors to arrays in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def test_unipc_reaches_second_order_with_a_single_call_start(order_of):
    slopes = order_of(sample_unipc, (64, 128, 256), lambda x, sigma: x * math.sqrt(1 + sigma**2))
    assert slopes == pytest.approx([2, 2], abs=0.1)


def test_the_corrector_beats_the_same_predictor_alone(gaussian, run_sampler, ramp):
    x = gaussian.noised(10.0, (1, 2, 8)).double()
    exact = gaussian.flow(x, 10.0, 0.1)
    second, _ = run_sampler(sample_dpmpp_2m, x, ramp(24), gaussian.denoise)
    corrected, _ = run_sampler(sample_unipc, x, ramp(24), gaussian.denoise)
    corrected = corrected * math.sqrt(1.01)
    assert (corrected - exact).abs().max() < 0.5 * (second - exact).abs().max()


@pytest.mark.parametrize(
    ("variant", "end"),
    [("bh1", "sigma_min"), ("bh2", "sigma_min"), ("bh2", "zero")],  # bh1 to zero is NaN there
)
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("steps", [1, 2, 5, 20])
def test_unipc_equals_diffusers(
    tiny_network, run_sampler, preserving_oracle, noise_latent, variant, order, steps, end
):
    scheduler = UniPCMultistepScheduler(
        **SD,
        solver_order=order,
        solver_type=variant,
        use_karras_sigmas=True,
        final_sigmas_type=end,
    )
    scheduler.set_timesteps(steps)
    levels = [float(s) for s in scheduler.sigmas]
    if levels[-1] == levels[-2]:
        levels[-1] = scheduler.sigmas[-1] = levels[-2] * 0.5
    x = noise_latent * levels[0]

    def run(*row):
        return sample_unipc(*row, order=order, variant=variant)

    expected = preserving_oracle(scheduler, x, levels, tiny_network)
    actual, seen = run_sampler(run, x, levels, tiny_network)
    torch.testing.assert_close(expected, actual, rtol=0, atol=2e-4)
    assert len(seen) == steps
