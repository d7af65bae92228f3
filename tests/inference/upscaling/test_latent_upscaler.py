import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, LDMSuperResolutionPipeline, UNet2DModel, VQModel
from PIL import Image

from inference.model_files.errors import BrokenOutput, CorruptWeights, MissingWeights
from inference.upscaling.latent_upscaler import NOISE_SEED, is_latent_upscaler, load_latent_upscaler
from inference.upscaling.registry import UpscalerRegistry
from inference.upscaling.tiling.plan import ScaleBy, UpscalePlan
from inference.upscaling.tiling.tiles import TileWork
from inference.upscaling.upscale import drive_upscale, upscale_image

STEPS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An LDSR of diffusers' own classes with random weights, saved as it is published."""
    path = tmp_path_factory.mktemp("models") / "upscalers" / "ldsr"
    with torch.random.fork_rng():
        torch.manual_seed(2)
        unet = UNet2DModel(
            in_channels=6,
            out_channels=3,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            down_block_types=("DownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D"),
        )
        vqvae = VQModel(
            block_out_channels=(4, 8, 8),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            latent_channels=3,
            num_vq_embeddings=16,
            norm_num_groups=4,
        )
    scheduler = DDIMScheduler(beta_start=0.0015, beta_end=0.0155, beta_schedule="scaled_linear")
    LDMSuperResolutionPipeline(vqvae, unet, scheduler).save_pretrained(path)
    return path


@pytest.fixture
def network(folder):
    made = load_latent_upscaler(folder, torch.device("cpu"), torch.float32)
    return replace(made, steps=STEPS)


def test_a_tile_is_what_diffusers_pipeline_makes_of_it(network, folder):
    tiles = torch.rand(1, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    pipeline = LDMSuperResolutionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    expected = pipeline(
        image=tiles * 2 - 1,
        num_inference_steps=STEPS,
        generator=torch.Generator().manual_seed(NOISE_SEED),
        output_type="pt",
    ).images
    found = network.enlarge_tiles(tiles)
    assert tuple(found.shape) == (1, 3, 128, 256)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_tiles_together_are_as_each_alone(network):
    tiles = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    works = [TileWork("ldsr", tile) for tile in tiles]
    for one, found in zip(works, network.process_tiles(works), strict=True):
        torch.testing.assert_close(network.process_tiles([one])[0], found, atol=1e-4, rtol=0)


def test_a_picture_is_enlarged_in_tiles(network):
    asked = []

    def run(works):
        asked.extend(tuple(work.tile.shape) for work in works)
        return network.process_tiles(works)

    image = Image.fromarray(np.full((40, 130, 3), 90, np.uint8))
    found = drive_upscale(
        upscale_image(image, UpscalePlan(network.network_traits("ldsr"), ScaleBy(4))), run
    )
    assert found.size == (520, 160)
    assert set(asked) == {(3, 64, 96)}


def test_bfloat16_makes_a_picture_too(folder):
    network = load_latent_upscaler(folder, torch.device("cpu"), torch.bfloat16)
    found = network.enlarge_tiles(torch.rand(1, 3, 32, 32))
    assert torch.float32 == found.dtype
    assert torch.isfinite(found).all()


def test_numbers_that_are_no_picture_are_noticed(network):
    with torch.no_grad():
        next(network.vqvae.decoder.parameters()).fill_(float("nan"))
    with pytest.raises(BrokenOutput, match="no picture"):
        network.enlarge_tiles(torch.rand(1, 3, 32, 32))


def test_the_shelf_finds_it_by_its_folders_name(folder, tmp_path):
    shelf = UpscalerRegistry(folder.parent.parent, tmp_path, torch.device("cpu"))
    assert "ldsr" in [info.name for info in shelf.list_upscalers()]
    assert [file.parent.name for file in shelf.list_weight_files("ldsr")] == ["unet", "vqvae"]
    assert shelf.load_network("ldsr").scale == 4


def test_missing_and_damaged_files_are_told(folder, tmp_path):
    copy = tmp_path / "ldsr"
    shutil.copytree(folder, copy)
    (copy / "unet" / "config.json").write_text("{")
    with pytest.raises(CorruptWeights, match=r"ldsr/unet/config\.json is no JSON"):
        load_latent_upscaler(copy, torch.device("cpu"))
    (copy / "vqvae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(MissingWeights, match="ldsr lacks vqvae/"):
        load_latent_upscaler(copy, torch.device("cpu"))


def test_other_folders_are_none(tmp_path):
    assert not is_latent_upscaler(tmp_path)
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "Another"}))
    assert not is_latent_upscaler(tmp_path)
