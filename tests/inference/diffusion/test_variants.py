from __future__ import annotations

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.api.config import EngineConfig
from inference.diffusion.loader import CheckpointLoader, model_bytes
from inference.diffusion.single_file import CONFIGS_DIR
from inference.model_files.errors import CorruptWeights, MissingWeights
from inference.model_files.files import UNET_FILE, ModelFolder
from inference.model_files.hashes import FileHashes
from inference.model_library import ModelLibrary

CPU = torch.device("cpu")
#: What the variant holds itself; all else is its checkpoint's.
OWN = ("conv_in.", "down_blocks.0.")


@pytest.fixture
def shelf(tiny_model, tmp_path):
    """Give a models folder with `tiny` and, in its folder, a variant of nine channels."""
    shutil.copytree(tiny_model / "tiny", tmp_path / "tiny")
    fold_in(tiny_model, tmp_path / "tiny", OWN)
    return tmp_path


def fold_in(source, folder, own):
    unet = folder / "inpaint" / "unet"
    unet.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "tiny-inpaint" / "unet" / "config.json", unet)
    weights = load_file(source / "tiny-inpaint" / UNET_FILE)
    save_file(
        {name: value for name, value in weights.items() if name.startswith(own)},
        folder / "inpaint" / UNET_FILE,
    )


def make_library(shelf):
    config = EngineConfig(model="tiny", models_dir=str(shelf), cache_dir=str(shelf / "cache"))
    return ModelLibrary(config, CPU, torch.float32)


def test_a_variant_takes_what_it_lacks_from_its_checkpoint(shelf, tiny_library):
    library = make_library(shelf)
    found = library.get_checkpoint("tiny-inpaint")
    plain, whole = tiny_library.get_checkpoint("tiny"), tiny_library.get_checkpoint("tiny-inpaint")
    assert found.is_inpainting
    for name, value in found.unet.state_dict().items():
        source = whole if name.startswith(OWN) else plain
        torch.testing.assert_close(value, source.unet.state_dict()[name], rtol=0, atol=0)
    for name, value in found.vae.state_dict().items():
        torch.testing.assert_close(value, plain.vae.state_dict()[name], rtol=0, atol=0)
    assert not library.get_checkpoint("tiny").is_inpainting


def test_it_is_listed_after_its_checkpoint_with_a_hash_of_its_own(shelf):
    library = make_library(shelf)
    names = [info.name for info in library.list_models() if info.kind == "diffusion"]
    assert {"starter", "tiny", "tiny-inpaint"} <= set(names)
    assert library.checkpoint_hash("tiny") != library.checkpoint_hash("tiny-inpaint")
    assert library.natural_size("tiny") == library.natural_size("tiny-inpaint")


def test_the_guess_before_loading_counts_what_it_shares(shelf):
    library = make_library(shelf)
    loader = CheckpointLoader(
        ModelFolder(shelf), CONFIGS_DIR, FileHashes(shelf / "hashes.json"), CPU, torch.float32
    )
    needed = model_bytes(library.get_checkpoint("tiny-inpaint"))
    assert needed <= loader.expected_bytes(shelf / "tiny" / "inpaint") < 2 * needed


def test_its_prompts_are_split_as_its_checkpoints(shelf):
    library = make_library(shelf)
    ours, its = library.checkpoint_tokenizer("tiny-inpaint"), library.checkpoint_tokenizer("tiny")
    assert ours.ids("a red apple") == its.ids("a red apple")


def test_a_variant_without_the_weights_for_its_channels_is_refused(shelf, tiny_model):
    fold_in(tiny_model, shelf / "tiny", ("down_blocks.0.",))
    with pytest.raises(CorruptWeights, match=r"conv_in\.weight with shape"):
        make_library(shelf).get_checkpoint("tiny-inpaint")


def test_a_variant_that_is_cut_off_is_refused(shelf):
    file = shelf / "tiny" / "inpaint" / UNET_FILE
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(CorruptWeights):
        make_library(shelf).get_checkpoint("tiny-inpaint")


def test_a_checkpoint_that_is_called_inpaint_is_no_variant(tiny_model, tmp_path):
    shutil.copytree(tiny_model / "tiny-inpaint", tmp_path / "inpaint")
    library = make_library(tmp_path)
    assert library.resolve_name("inpaint") == "inpaint"
    assert library.get_checkpoint("inpaint").is_inpainting
    shutil.rmtree(tmp_path / "inpaint" / "vae")
    with pytest.raises(MissingWeights, match="inpaint lacks vae"):
        make_library(tmp_path).get_checkpoint("inpaint")
