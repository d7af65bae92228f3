"""Files of real layout, narrower than real ones: what diffusers reads them as, Easel does."""

from __future__ import annotations

import pytest
import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
)
from safetensors.torch import load_file

from inference.api.config import EngineConfig
from inference.api.prompts.extra_networks import LoraTag
from inference.model_library import ModelLibrary
from tools.real_size import (
    FAMILIES,
    build_parts,
    lora_shapes,
    read_narrow_config,
    write_configs,
    write_model,
)

DIVISOR = 8
#: Weights of the published networks: denoising network, autoencoder, text encoders.
PUBLISHED_WEIGHTS = {
    "sd1": (859_520_964, 83_653_863, 123_060_480),
    "sd2": (865_910_724, 83_653_863, 340_387_840),
    "sdxl": (2_567_463_684, 83_653_863, 123_060_480, 694_659_840),
}
LORA_LAYERS = {"sd1": 264, "sdxl": 986}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    write_configs(folder / "configs", DIVISOR)
    return folder


@pytest.fixture(scope="module")
def library(shelf):
    config = EngineConfig(models_dir=str(shelf), cache_dir=str(shelf / "cache"))
    return ModelLibrary(
        config,
        torch.device("cpu"),
        torch.float32,
        budget=1,
        configs=shelf / "configs",
    )


def same(state, expected):
    assert state.keys() == expected.keys()
    return all(
        torch.equal(value, expected[name].reshape(value.shape).float())
        for name, value in state.items()
    )


@pytest.mark.parametrize("family", PUBLISHED_WEIGHTS)
def test_at_full_width_the_networks_have_the_published_sizes(family):
    parts = build_parts(read_narrow_config(family, 1), 4)
    counts = [sum(p.numel() for p in part.parameters()) for part in parts.values()]
    assert tuple(counts) == PUBLISHED_WEIGHTS[family]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_single_file_is_read_as_diffusers_converter_reads_it(shelf, library, name):
    family, channels = FAMILIES[name]
    path = write_model(shelf, name, "file", DIVISOR)
    config = read_narrow_config(family, DIVISOR)
    model = library.get_checkpoint(name)

    weights = load_file(path)
    assert same(model.unet.state_dict(), convert_ldm_unet_checkpoint(dict(weights), config["unet"]))
    assert same(model.vae.state_dict(), convert_ldm_vae_checkpoint(dict(weights), config["vae"]))
    assert model.unet.config.in_channels == channels
    path.unlink()


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
@pytest.mark.parametrize("layout", ["folder", "fp16", "shards"])
def test_folders_load_whole(shelf, library, name, layout):
    path = write_model(shelf, name, layout, DIVISOR)
    model = library.get_checkpoint(path.name)

    files = sorted((path / "unet").glob("*.safetensors"))
    assert len(files) > 1 if (name, layout) == ("sdxl", "shards") else files
    stored = {name: value for file in files for name, value in load_file(file).items()}
    assert same(model.unet.state_dict(), stored)


@pytest.mark.parametrize("family", LORA_LAYERS)
def test_every_layer_of_a_lora_finds_its_place(shelf, library, family):
    config = read_narrow_config(family, DIVISOR)
    shapes = lora_shapes(family, config, build_parts(config, 4))
    assert len(shapes) == 3 * LORA_LAYERS[family]
    write_model(shelf, family, "fp16", DIVISOR)
    write_model(shelf / "loras", family, "lora", DIVISOR)

    library.list_models()  # looks into the folder anew
    active = library.active_loras(f"{family}-fp16", [LoraTag(f"{family}-lora")])
    assert active is not None
    ((_, file),) = active.lora_files
    assert len(file.branches) == LORA_LAYERS[family]
