from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from PIL import Image

from inference.diffusion.latent_preview import (
    LATENT_FAMILIES,
    TINY_CELLS,
    LatentPreviewer,
    LinearMap,
    read_preview_map,
)
from inference.diffusion.model import to_image
from inference.model_library import STARTER_FOLDER
from inference.runtime.precision import PartFormats


class Latents:
    """What an approximation looks at of a checkpoint."""

    def __init__(self, scaling: float, rgb: LinearMap | None = None) -> None:
        config = type("Config", (), {"scaling_factor": scaling})
        self.vae = type("Vae", (), {"config": config})
        self.rgb = rgb
        self.device, self.dtype = torch.device("cpu"), torch.float32


def test_a_map_gives_each_cell_a_colour():
    red = LinearMap(((1.0, 0.0), (0.0, 0.0), (0.0, 2.0)), (0.0, -1.0, 0.5))
    latents = torch.tensor([[[[0.5]], [[-0.25]]]])

    assert torch.equal(torch.tensor([0.5, -1.0, 0.0]), red(latents)[0, :, 0, 0])


@pytest.mark.parametrize("scaling", LATENT_FAMILIES)
def test_published_families_have_a_map_of_four_channels(scaling, tmp_path):
    shown = LatentPreviewer(tmp_path).preview_latents(Latents(scaling), torch.randn(2, 4, 8, 8))

    assert shown.shape == (2, 3, 8, 8)


def test_the_starter_model_shows_its_own_autoencoders_pictures(tmp_path):
    """Hold the fitted map against what the autoencoder itself paints of the same latents."""
    from inference.diffusion.diffusers_folder import load_folder

    model = load_folder(
        STARTER_FOLDER,
        "starter",
        torch.device("cpu"),
        PartFormats(torch.float32, torch.float32),
    )
    size = (model.size, model.size)
    image = Image.new("RGB", size, "white")
    image.paste((220, 30, 40), (20, 20, size[0] - 40, size[1] - 40))
    latents = model.encode_images([image])
    shown = to_image(LatentPreviewer(tmp_path).preview_latents(model, latents)[0])
    small = image.resize(shown.size, Image.Resampling.BOX)

    error = np.abs(np.asarray(shown, float) - np.asarray(small, float)).mean()
    assert (size[0] // 8, size[1] // 8) == shown.size
    assert error < 30  # of 255; any other map is off by more than 60


def test_latents_nobody_knows_are_not_shown(tmp_path):
    show = LatentPreviewer(tmp_path).preview_latents

    assert show(Latents(0.5), torch.randn(1, 4, 8, 8)) is None
    assert show(Latents(0.18215), torch.randn(1, 16, 8, 8)) is None


@pytest.mark.parametrize(
    "content", ["", "[]", '{"weight": 3, "bias": 4}', '{"weight": [[1], [2]], "bias": [0, 0, 0]}']
)
def test_a_broken_map_is_none(tmp_path, content):
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "preview.json").write_text(content)

    assert read_preview_map(tmp_path) is None


def test_a_folder_may_bring_its_map(tmp_path):
    (tmp_path / "vae").mkdir()
    values = {"weight": [[1, 2], [3, 4], [5, 6]], "bias": [0, 1, 2]}
    (tmp_path / "vae" / "preview.json").write_text(json.dumps(values))

    assert read_preview_map(tmp_path) == LinearMap(((1, 2), (3, 4), (5, 6)), (0, 1, 2))
    assert read_preview_map(tmp_path / "elsewhere") is None


@pytest.fixture
def shelf(tmp_path):
    """Give a models folder with a tiny autoencoder for Stable Diffusion 1."""
    tiny = AutoencoderTiny(
        encoder_block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=(1, 1, 1, 1),
    )
    tiny.save_pretrained(tmp_path / "vae_approx" / "taesd")
    return tmp_path


def test_a_tiny_autoencoder_of_the_hosts_goes_first(shelf):
    shown = LatentPreviewer(shelf).preview_latents(Latents(0.18215), torch.randn(1, 4, 8, 6))

    assert shown.shape == (1, 3, 64, 48)


def test_a_tiny_autoencoder_is_given_no_more_than_it_takes_little_time_for(shelf):
    shown = LatentPreviewer(shelf).preview_latents(Latents(0.18215), torch.randn(1, 4, 96, 192))

    assert shown.shape == (1, 3, TINY_CELLS * 4, TINY_CELLS * 8)


def test_a_broken_tiny_autoencoder_leaves_the_map(shelf):
    (shelf / "vae_approx" / "taesd" / "diffusion_pytorch_model.safetensors").write_bytes(b"no")

    shown = LatentPreviewer(shelf).preview_latents(Latents(0.18215), torch.randn(1, 4, 8, 8))

    assert shown.shape == (1, 3, 8, 8)


def test_a_map_of_the_checkpoints_own_goes_before_its_familys(tmp_path):
    own = LinearMap(((0.0,) * 4,) * 3, (0.25, 0.5, 0.75))
    model = Latents(0.18215)
    shown = LatentPreviewer(tmp_path).preview_latents(
        replace_rgb(model, own), torch.randn(1, 4, 2, 2)
    )

    assert torch.equal(torch.tensor([0.25, 0.5, 0.75]), shown[0, :, 0, 0])


def replace_rgb(model: Latents, rgb: LinearMap) -> Latents:
    return Latents(model.vae.config.scaling_factor, rgb)
