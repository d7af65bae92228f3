from __future__ import annotations

import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

from inference.engine.batch import Batch
from inference.sampling.denoiser import from_x0, to_x0

GUIDANCE = torch.tensor([7.0, 3.0, 9.0])
RESCALE = torch.tensor([0.7, 0.0, 1.0])
SIGMA = torch.tensor([4.0, 0.5, 1.5])


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_rows_are_rescaled_as_diffusers_does_each_by_its_own_amount(prediction):
    generator = torch.Generator().manual_seed(5)
    x, cond, uncond = torch.randn(3, 3, 4, 8, 8, generator=generator)
    batch = Batch(
        x=torch.cat([x, x]),
        sigma=torch.cat([SIGMA, SIGMA]),
        text=torch.zeros(6, 1, 1),
        image_channels=None,
        pooled=None,
        owners=torch.arange(3),
        weights=torch.ones(3),
        scale=GUIDANCE,
        image_scale=None,
        rescale=RESCALE,
        is_guided=True,
        text_lengths=torch.ones(6),
        guidance=torch.cat([GUIDANCE, GUIDANCE]),
        prediction=prediction,
    )
    clean = torch.cat([to_x0(half, x, SIGMA, prediction) for half in (cond, uncond)])
    actual = from_x0(batch.scatter(clean), x, SIGMA, prediction)
    guided = uncond + GUIDANCE.reshape(3, 1, 1, 1) * (cond - uncond)
    for row in range(3):
        expected = rescale_noise_cfg(guided[row, None], cond[row, None], RESCALE[row].item())[0]
        torch.testing.assert_close(actual[row], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample", "flow"])
def test_a_prediction_comes_back_from_its_clean_latent(prediction):
    x, output = torch.randn(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(6))
    clean = to_x0(output, x, SIGMA, prediction)
    torch.testing.assert_close(from_x0(clean, x, SIGMA, prediction), output, rtol=1e-4, atol=1e-4)
