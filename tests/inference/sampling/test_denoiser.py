import pytest
import torch
from diffusers import EulerDiscreteScheduler
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

from inference.sampling.denoiser import (
    apply_guidance,
    combine_guidance,
    from_x0,
    rescale_guidance,
    scale_input,
    to_x0,
)

SIGMA = torch.tensor([0.03, 1.0, 14.6])


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(4)
    clean, noise = (torch.randn(3, 4, 8, 8, generator=generator) for _ in range(2))
    return clean, noise


def spread(vector):
    return vector.view(-1, 1, 1, 1)


def test_scaled_input_has_unit_variance(rows):
    clean, noise = rows
    scaled = scale_input(clean + spread(SIGMA) * noise, SIGMA)
    alpha = 1 / (SIGMA**2 + 1).sqrt()
    expected = spread(alpha) * clean + spread(SIGMA * alpha) * noise
    torch.testing.assert_close(expected, scaled)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_a_perfect_network_gives_the_clean_latent(rows, prediction):
    clean, noise = rows
    x = clean + spread(SIGMA) * noise
    alpha = 1 / (SIGMA**2 + 1).sqrt()
    velocity = spread(alpha) * noise - spread(SIGMA * alpha) * clean
    output = {"epsilon": noise, "v_prediction": velocity, "sample": clean}[prediction]
    torch.testing.assert_close(clean, to_x0(output, x, SIGMA, prediction), rtol=0, atol=1e-5)


def test_a_perfect_flow_gives_the_clean_latent(rows):
    clean, noise = rows
    share = torch.tensor([0.001, 0.5, 0.999])
    seen = (1 - spread(share)) * clean + spread(share) * noise
    sigma = share / (1 - share)
    x = seen / (1 - spread(share))
    torch.testing.assert_close(x, clean + spread(sigma) * noise, rtol=1e-4, atol=1e-4)
    velocity = noise - clean
    torch.testing.assert_close(to_x0(velocity, x, sigma, "flow"), clean, rtol=0, atol=1e-4)
    torch.testing.assert_close(from_x0(clean, x, sigma, "flow"), velocity, rtol=1e-3, atol=1e-3)


def test_v_prediction_survives_zero_terminal_snr(rows):
    clean, noise = rows
    sigma = torch.full((3,), 4518.76)
    x = clean + spread(sigma) * noise
    alpha = 1 / (sigma**2 + 1).sqrt()
    velocity = spread(alpha) * noise - spread(sigma * alpha) * clean
    actual = to_x0(velocity, x, sigma, "v_prediction")
    assert (actual - clean).abs().max() < 2e-3


@pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_equals_diffusers(rows, prediction):
    clean, output = rows
    scheduler = EulerDiscreteScheduler(prediction_type=prediction)
    scheduler.set_timesteps(3)
    sigma = scheduler.sigmas[1]
    x = clean * sigma
    scheduler.set_begin_index(1)
    t = scheduler.timesteps[1]
    scaled = scheduler.scale_model_input(x, t)
    torch.testing.assert_close(scaled, scale_input(x, sigma.expand(3)))
    expected = scheduler.step(output, t, x).pred_original_sample
    torch.testing.assert_close(expected, to_x0(output, x, sigma.expand(3), prediction))


def test_an_unknown_prediction_is_refused(rows):
    with pytest.raises(ValueError, match="no network predicts 'score'"):
        to_x0(*rows, SIGMA, "score")


def test_guidance_is_per_row(rows):
    uncond, cond = rows
    actual = apply_guidance(uncond, cond, torch.tensor([0.0, 1.0, 7.5]))
    torch.testing.assert_close(uncond[0], actual[0])
    torch.testing.assert_close(cond[1], actual[1])
    torch.testing.assert_close(uncond[2] + 7.5 * (cond[2] - uncond[2]), actual[2])


def test_prompts_joined_by_and_pull_with_their_weights(rows):
    uncond, _ = rows
    conds = torch.randn(5, 4, 8, 8, generator=torch.Generator().manual_seed(6))
    owner, scale = torch.tensor([0, 0, 0, 1, 2]), torch.tensor([7.0, 5.0, 1.0])
    weights = torch.tensor([1.2, 1.0, -0.3, 1.0, 1.0])
    actual = combine_guidance(uncond, conds, owner, weights, scale)
    first = uncond[0] + 7 * (
        1.2 * (conds[0] - uncond[0]) + (conds[1] - uncond[0]) - 0.3 * (conds[2] - uncond[0])
    )
    torch.testing.assert_close(first, actual[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(apply_guidance(uncond, conds[[0, 3, 4]], scale)[1:], actual[1:])


def test_guidance_rescale_equals_diffusers(rows):
    cond, uncond = rows
    guided = apply_guidance(uncond, cond, torch.full((3,), 7.5))
    expected = rescale_noise_cfg(guided, cond, guidance_rescale=0.7)
    torch.testing.assert_close(expected, rescale_guidance(guided, cond, torch.full((3,), 0.7)))


def test_guidance_rescale_is_per_row(rows):
    cond, uncond = rows
    guided = apply_guidance(uncond, cond, torch.full((3,), 7.5))
    actual = rescale_guidance(guided, cond, torch.tensor([0.0, 1.0, 0.5]))
    torch.testing.assert_close(guided[0], actual[0])
    assert cond[1].std().item() == pytest.approx(actual[1].std().item(), rel=1e-4)
