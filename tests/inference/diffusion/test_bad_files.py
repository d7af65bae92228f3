"""Files and names that are none of use, each answered with what to do."""

from __future__ import annotations

import logging
import shutil

import pytest
import torch
from safetensors.torch import save_file

from inference.api.config import EngineConfig
from inference.api.errors import JobError
from inference.api.prompts.extra_networks import LoraTag
from inference.model_files.errors import (
    CorruptWeights,
    MissingWeights,
    ModelError,
    UnknownModel,
    UnsupportedWeights,
)
from inference.model_files.identity import identify_file
from inference.model_library import ModelLibrary
from tests.inference.conftest import save_checkpoint

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def shelf(tiny_model, tmp_path):
    shutil.copytree(tiny_model / "tiny", tmp_path / "bad")
    shutil.copytree(tiny_model / "tiny", tmp_path / "good")
    return tmp_path


@pytest.fixture
def library(shelf):
    config = EngineConfig(model="good", models_dir=str(shelf), cache_dir=str(shelf / "cache"))
    return ModelLibrary(config, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("part", [UNET, "vae/diffusion_pytorch_model.safetensors"])
def test_a_part_that_breaks_off(library, shelf, part):
    path = shelf / "bad" / part
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorruptWeights, match=r"is cut short.*Download it again"):
        library.get_checkpoint("bad")


def test_a_web_page_in_place_of_a_part(library, shelf):
    (shelf / "bad" / "text_encoder" / "model.safetensors").write_bytes(b"<!doctype html>" * 9)
    with pytest.raises(UnsupportedWeights, match="is a web page, not weights"):
        library.get_checkpoint("bad")


def test_a_part_of_another_network(library, shelf):
    shutil.copy(shelf / "good" / "vae" / UNET.split("/")[1], shelf / "bad" / UNET)
    with pytest.raises(ModelError, match="unet"):
        library.get_checkpoint("bad")


def test_a_part_that_is_only_there_as_a_pickle(library, shelf):
    (shelf / "bad" / UNET).rename((shelf / "bad" / UNET).with_suffix(".bin"))
    with pytest.raises(MissingWeights, match="convert pickled weights once"):
        library.get_checkpoint("bad")


@pytest.mark.parametrize("name", ["old", "old.ckpt"])
@pytest.mark.parametrize("folder", ["", "checkpoints"])
def test_a_pickled_checkpoint_is_not_opened(library, shelf, name, folder):
    (shelf / folder).mkdir(exist_ok=True)
    (shelf / folder / "old.ckpt").write_bytes(b"PK\x03\x04")
    with pytest.raises(UnsupportedWeights, match=r"is a PyTorch pickle.*models import"):
        library.get_checkpoint(name)


@pytest.mark.parametrize("name", ["../good", "/etc/passwd", "good/../bad", "good\0", "."])
def test_a_name_is_never_a_path(library, name):
    with pytest.raises(UnknownModel, match="There is no checkpoint"):
        library.get_checkpoint(name)
    with pytest.raises(JobError, match="There is no LoRA"):
        library.active_loras("good", [LoraTag(name)])


def test_a_refusal_lists_only_what_can_be_painted_with(library, shelf):
    (shelf / "cut.safetensors").write_bytes(b"\xff\xff\0\0\0\0\0\0{")
    with pytest.raises(UnknownModel, match="There are: ") as caught:
        library.get_checkpoint("nothing")
    assert "good" in str(caught.value)
    assert "cut" not in str(caught.value)


@pytest.mark.parametrize(
    ("channels", "title"),
    [(5, "depth map"), (7, "x4 upscaler"), (12, "another kind")],
)
def test_a_network_of_other_channels_is_named_and_not_offered(tmp_path, channels, title):
    save_checkpoint(tmp_path / "net", channels)
    config = EngineConfig(model="net", models_dir=str(tmp_path), cache_dir=str(tmp_path / "cache"))
    library = ModelLibrary(config, torch.device("cpu"), torch.float32)

    assert "net" not in {info.name for info in library.list_models()}
    with pytest.raises(UnsupportedWeights, match=rf"net is .*{title}.* takes {channels} channels"):
        library.get_checkpoint("net")


@pytest.mark.parametrize("channels", [5, 7])
def test_so_is_a_single_file_of_them(tmp_path, write_original, tiny_configs, channels):
    write_original(tmp_path / "net.safetensors", channels=channels)
    config = EngineConfig(model="net", models_dir=str(tmp_path), cache_dir=str(tmp_path / "cache"))
    library = ModelLibrary(config, torch.device("cpu"), torch.float32, configs=tiny_configs)

    assert "net" not in {info.name for info in library.list_models()}
    with pytest.raises(UnsupportedWeights, match=rf"takes {channels} channels"):
        library.get_checkpoint("net")
    assert "not run" in identify_file(tmp_path / "net.safetensors").title


def test_an_embedding_whose_name_another_has_is_named(library, shelf, caplog):
    for folder in ("embeddings/a", "embeddings/b"):
        (shelf / folder).mkdir(parents=True)
        save_file({"emb_params": torch.zeros(1, 32)}, shelf / folder / "ink.safetensors")
    with caplog.at_level(logging.WARNING):
        library.get_checkpoint("good")
    assert "b/ink.safetensors (a/ink.safetensors has its name already" in caplog.text
    assert caplog.text.count("Left out of the embeddings") == 1
