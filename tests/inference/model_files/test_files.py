"""Hosts bring their folders as they are: everything in them is found, by names that are told."""

import shutil

import pytest
import torch
from safetensors.torch import save_file
from spandrel.architectures.Compact import Compact

from inference.api.config import EngineConfig
from inference.model_files import files
from inference.model_files.errors import UnsupportedWeights
from inference.model_files.files import find_checkpoints, find_files, vae_beside
from inference.model_library import ModelLibrary


def lay(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def checkpoint_paths(models, model="starter"):
    found, _ = find_checkpoints(models, model, models / "none")
    return {
        name: path.relative_to(models).as_posix()
        for name, path in found.items()
        if name != "starter"
    }


def test_checkpoints_are_found_at_any_depth_in_any_spelling_and_behind_links(tmp_path):
    models, elsewhere = tmp_path / "models", tmp_path / "elsewhere"
    for place in (
        "one.safetensors",
        "checkpoints/SDXL/anime/net.safetensors",
        "checkpoints/UP.SAFETENSORS",
        "checkpoints/own.VAE.safetensors",
        "loras/no.safetensors",
        "deep/unseen.safetensors",
    ):
        lay(models / place)
    (models / "checkpoints" / "SD1" / "whole" / "unet").mkdir(parents=True)
    lay(models / "checkpoints" / "SD1" / "whole" / "unet" / "part.safetensors")
    lay(elsewhere / "far" / "linked.safetensors")
    (models / "checkpoints" / "link").symlink_to(elsewhere)
    (models / "checkpoints" / "file.safetensors").symlink_to(elsewhere / "far/linked.safetensors")
    (elsewhere / "far" / "back").symlink_to(models / "checkpoints")

    assert checkpoint_paths(models) == {
        "one": "one.safetensors",
        "UP": "checkpoints/UP.SAFETENSORS",
        "file": "checkpoints/file.safetensors",
        "whole": "checkpoints/SD1/whole",
        "net": "checkpoints/SDXL/anime/net.safetensors",
        "linked": "checkpoints/link/far/linked.safetensors",
    }


def test_of_one_name_the_shallowest_has_it_and_the_others_go_by_their_paths(tmp_path):
    (tmp_path / "net" / "unet").mkdir(parents=True)
    for place in ("net", "checkpoints/net", "checkpoints/a/net", "checkpoints/b/c/net"):
        lay(tmp_path / f"{place}.safetensors")
    (tmp_path / "checkpoints" / "a" / "net" / "unet").mkdir(parents=True)
    lay(tmp_path / "checkpoints" / "starter.safetensors")

    assert checkpoint_paths(tmp_path) == {
        "net": "net",
        "net.safetensors": "net.safetensors",
        "checkpoints/net": "checkpoints/net.safetensors",
        "a/net": "checkpoints/a/net",
        "checkpoints/a/net": "checkpoints/a/net.safetensors",
        "b/c/net": "checkpoints/b/c/net.safetensors",
        "checkpoints/starter": "checkpoints/starter.safetensors",
    }


def test_a_link_to_a_whole_disk_is_not_walked_to_its_end(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(files, "MAX_FOLDERS", 20)
    for number in range(30):
        lay(tmp_path / "checkpoints" / f"{number:02}" / f"net{number}.safetensors")

    assert len(checkpoint_paths(tmp_path)) == 19
    assert "more than 20 folders" in caplog.text


def test_an_autoencoder_is_found_beside_and_below(tmp_path):
    checkpoint = tmp_path / "checkpoints" / "SDXL" / "net.safetensors"
    lay(checkpoint)
    assert vae_beside(tmp_path, "net", checkpoint) is None
    for place in ("vae/deep/net.SAFETENSORS", "checkpoints/SDXL/net.vae.safetensors"):
        lay(tmp_path / place)
        assert vae_beside(tmp_path, "net", checkpoint) == tmp_path / place
    assert set(find_files(tmp_path, "vae")) == {"net"}


@pytest.fixture
def library(tiny_model, tmp_path):
    shutil.copytree(tiny_model / "tiny", tmp_path / "checkpoints" / "SD1" / "anime" / "net")
    for name in ("upscalers/x2/big.SAFETENSORS", "upscalers/big.safetensors"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        save_file(Compact(num_feat=8, num_conv=2, upscale=2).state_dict(), tmp_path / name)
    config = EngineConfig(model="net", models_dir=str(tmp_path), cache_dir=str(tmp_path / "cache"))
    return ModelLibrary(config, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("name", ["", "net", "SD1/anime/net"])
def test_a_checkpoint_answers_to_its_name_and_to_its_path(library, name):
    assert library.resolve_name(name) == "net"
    assert library.get_checkpoint(library.resolve_name(name)).size == 64


def test_upscalers_in_folders_are_offered_and_loaded(library):
    own = [info.name for info in library.list_models() if info.about == "the host's own"]

    assert own == ["big", "x2/big"]
    assert library.upscalers.get_upscaler("x2/big").scale == 2


def test_a_pickle_in_a_folder_is_named(library, tmp_path):
    lay(tmp_path / "checkpoints" / "SD1" / "old.CKPT")

    with pytest.raises(UnsupportedWeights, match=r"old\.CKPT is a PyTorch pickle"):
        library.resolve_name("old")
