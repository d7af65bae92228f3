"""Autoencoders in stripes: the very picture that the whole network gives."""

import pytest
import torch
from diffusers import AutoencoderKL

from inference.diffusion import striped_vae
from inference.diffusion.striped_vae import StripedVae, can_stripe

CPU = torch.device("cpu")


def make_vae(**more):
    settings = {
        "block_out_channels": (8, 8, 16, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "latent_channels": 4,
        "layers_per_block": 2,
        "norm_num_groups": 4,
    }
    with torch.random.fork_rng():
        torch.manual_seed(5)
        vae = AutoencoderKL(**(settings | more)).eval().requires_grad_(False)
        for parameter in vae.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return vae


@pytest.fixture(scope="module")
def vae():
    return make_vae()


def stripes(pixels):
    return StripedVae(CPU, CPU, pixels)


@pytest.mark.parametrize("pixels", [1, 500, 10**9])
@pytest.mark.parametrize("size", [(8, 8), (13, 7), (5, 24)])
@torch.inference_mode()
def test_decoding_in_stripes_is_decoding(vae, size, pixels):
    latents = torch.randn(2, 4, *size, generator=torch.Generator().manual_seed(1))
    expected = vae.decode(latents).sample

    assert (
        expected.shape
        == (actual := striped_vae.decode_striped(vae, latents, stripes(pixels))).shape
    )
    assert torch.allclose(expected, actual, atol=2e-5)


@pytest.mark.parametrize("pixels", [1, 500, 10**9])
@pytest.mark.parametrize("size", [(64, 64), (104, 56), (40, 192)])
@torch.inference_mode()
def test_encoding_in_stripes_is_encoding(vae, size, pixels):
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(2)) * 2 - 1
    expected = vae.encode(images).latent_dist.mean

    assert (
        actual := striped_vae.encode_striped(vae, images, stripes(pixels))
    ).shape == expected.shape
    assert torch.allclose(expected, actual, atol=2e-5)


@torch.inference_mode()
def test_maps_far_from_zero_are_normalised_too(vae):
    latents = torch.randn(1, 4, 9, 9, generator=torch.Generator().manual_seed(3)) + 40

    assert torch.allclose(
        vae.decode(latents).sample,
        striped_vae.decode_striped(vae, latents, stripes(300)),
        atol=1e-3,
    )


@torch.inference_mode()
def test_bfloat16_stays_as_close_as_its_rounding(vae):
    latents = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(4))
    exact = vae.decode(latents).sample
    half = make_vae().to(torch.bfloat16)
    plain = half.decode(latents.bfloat16()).sample.float() - exact
    striped = striped_vae.decode_striped(half, latents.bfloat16(), stripes(500)).float() - exact

    assert striped.abs().mean() <= 1.2 * plain.abs().mean()


def test_blocks_with_attention_are_left_alone(vae):
    attending = make_vae(
        down_block_types=("AttnDownEncoderBlock2D",) * 4,
        up_block_types=("AttnUpDecoderBlock2D",) * 4,
    )

    assert can_stripe(vae)
    assert not can_stripe(attending)
