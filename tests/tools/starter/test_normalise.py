import pytest
import torch

from tools.starter.normalise import normalise, preview_map
from tools.starter.train_vae import new_vae


@pytest.fixture
def vae():
    torch.manual_seed(0)
    return new_vae().eval()


@torch.no_grad()
def test_normalising_moves_latents_and_keeps_pictures(vae):
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    before = vae.encode(images).latent_dist
    made = vae.decode(before.mean).sample
    mean, spread = torch.tensor([1.0, -2.0, 0.5, 0.0]), torch.tensor([2.0, 0.5, 1.0, 3.0])
    normalise(vae, mean, spread)
    after = vae.encode(images).latent_dist
    wanted = (before.mean - mean[:, None, None]) / spread[:, None, None]
    torch.testing.assert_close(after.mean, wanted)
    torch.testing.assert_close(after.std, before.std / spread[:, None, None])
    torch.testing.assert_close(vae.decode(after.mean).sample, made, atol=1e-4, rtol=1e-4)
    assert vae.config.scaling_factor == 1.0


def test_the_preview_map_is_found_where_there_is_one():
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(3, 4, generator=generator), torch.randn(3, generator=generator)
    latents = torch.randn(5, 4, 6, 6, generator=generator)
    small = torch.einsum("rc,bchw->brhw", weight, latents) + bias[:, None, None]
    images = small.repeat_interleave(8, 2).repeat_interleave(8, 3)
    for found, wanted in zip(preview_map(latents, images), (weight, bias), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
