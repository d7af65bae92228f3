"""Folders as hosts download them: variants, shards, mixtures; others are named and stop nothing."""

from __future__ import annotations

import json
import logging
import os
import shutil

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

from inference.api.config import EngineConfig
from inference.diffusion import loader
from inference.manage_models import verify_files
from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.model_files.files import find_checkpoints
from inference.model_files.hashes import FileHashes
from inference.model_files.pipelines.part_weights import find_part_files, list_weight_files
from inference.model_library import ModelLibrary

KINDS = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "text_encoder": CLIPTextModel}
SHARD_BYTES = "30KB"
INDEX = "unet/diffusion_pytorch_model.safetensors.index.json"


@pytest.fixture
def shelf(tiny_model, tmp_path):
    shutil.copytree(tiny_model / "tiny", tmp_path / "net")
    shutil.copytree(tiny_model / "tiny", tmp_path / "good")
    return tmp_path


def make_library(shelf):
    config = EngineConfig(model="good", models_dir=str(shelf), cache_dir=str(shelf / "cache"))
    return ModelLibrary(config, torch.device("cpu"), torch.float32)


def write_again(folder, parts=tuple(KINDS), **options):
    """Let diffusers and transformers write parts as they would."""
    for part in parts:
        network = KINDS[part].from_pretrained(folder / part, use_safetensors=True)
        for file in (folder / part).glob("*.safetensors*"):
            file.unlink()
        network.to(options.pop("dtype", None)).save_pretrained(folder / part, **options)


def rename_old(folder):
    """Call shards of a variant as older repositories do."""
    for file in folder.glob("*/*-of-*.fp16.safetensors"):
        stem, _, rest = file.name.removesuffix(".fp16.safetensors").partition("-")
        file.rename(file.with_name(f"{stem}.fp16-{rest}.safetensors"))
    for index in folder.glob("*/*.index.fp16.json"):
        index.unlink()


def forget_indices(folder):
    for index in folder.glob("*/*.index*.json"):
        index.unlink()


LAYOUTS = {
    "whole": lambda folder: None,
    "fp16": lambda folder: write_again(folder, variant="fp16"),
    "shards": lambda folder: write_again(folder, max_shard_size=SHARD_BYTES),
    "shards of fp16": lambda folder: write_again(
        folder, max_shard_size=SHARD_BYTES, variant="fp16"
    ),
    "old shards of fp16": lambda folder: (
        write_again(folder, max_shard_size=SHARD_BYTES, variant="fp16"),
        rename_old(folder),
    ),
    "shards without an index": lambda folder: (
        write_again(folder, max_shard_size=SHARD_BYTES),
        forget_indices(folder),
    ),
    "a mixture": lambda folder: (
        write_again(folder, ("unet",), max_shard_size=SHARD_BYTES, variant="fp16"),
        write_again(folder, ("vae",), variant="bf16"),
    ),
    "a name of its own": lambda folder: (folder / "vae/diffusion_pytorch_model.safetensors").rename(
        folder / "vae/kl-f8.safetensors"
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_loads_in_every_layout_with_the_same_weights(shelf, layout):
    LAYOUTS[layout](shelf / "net")
    library = make_library(shelf)

    assert "net" in {info.name for info in library.list_models()}
    net, good = library.get_checkpoint("net"), library.get_checkpoint("good")
    for own, other in (
        (net.unet, good.unet),
        (net.vae, good.vae),
        (net.text_encoders.models[0], good.text_encoders.models[0]),
    ):
        own_state, other_state = own.state_dict(), other.state_dict()
        assert own_state.keys() == other_state.keys()
        assert all(torch.equal(value, other_state[name]) for name, value in own_state.items())


def test_several_shards_were_really_written(shelf):
    LAYOUTS["shards of fp16"](shelf / "net")

    assert len(find_part_files(shelf / "net", "unet")) > 2
    assert (shelf / "net" / "unet" / "diffusion_pytorch_model.safetensors.index.fp16.json").exists()


def test_of_several_precisions_one_is_read_and_counted(shelf):
    files = list_weight_files(shelf / "net")
    for file in files:
        shutil.copy(file, file.with_suffix(".fp16.safetensors"))
        shutil.copy(file, file.with_suffix(".non_ema.safetensors"))

    assert list_weight_files(shelf / "net") == files
    (shelf / "net" / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    (unet,) = find_part_files(shelf / "net", "unet")
    assert unet.name == "diffusion_pytorch_model.fp16.safetensors"


def test_a_shard_that_was_not_fetched_is_named(shelf):
    LAYOUTS["shards"](shelf / "net")
    missing = find_part_files(shelf / "net", "unet")[1]
    missing.unlink()

    with pytest.raises(MissingWeights, match=f"net lacks unet/{missing.name}"):
        make_library(shelf).get_checkpoint("net")


def test_half_a_set_of_shards_counts_less_than_a_whole_variant(shelf):
    LAYOUTS["shards"](shelf / "net")
    find_part_files(shelf / "net", "unet")[1].unlink()
    shutil.copy(
        shelf / "good" / "unet" / "diffusion_pytorch_model.safetensors",
        shelf / "net" / "unet" / "diffusion_pytorch_model.fp16.safetensors",
    )

    assert make_library(shelf).get_checkpoint("net").unet is not None


@pytest.mark.parametrize("place", ["../../good/unet/diffusion_pytorch_model.safetensors", "/etc/x"])
def test_an_index_that_leads_out_of_its_folder_is_refused(shelf, place):
    LAYOUTS["shards"](shelf / "net")
    index = json.loads((shelf / "net" / INDEX).read_text())
    index["weight_map"]["conv_in.weight"] = place
    (shelf / "net" / INDEX).write_text(json.dumps(index))

    with pytest.raises(CorruptWeights, match="weight_map that is of no use"):
        make_library(shelf).get_checkpoint("net")


def test_an_index_that_lacks_a_weight_is_no_secret(shelf):
    LAYOUTS["shards"](shelf / "net")
    first = find_part_files(shelf / "net", "unet")[0]
    weights = load_file(first)
    name = sorted(weights)[0]
    save_file({other: value for other, value in weights.items() if other != name}, first)

    with pytest.raises(CorruptWeights, match=f"net/unet lacks the weight {name}"):
        make_library(shelf).get_checkpoint("net")


#: Other families' folders: files, and what they are called.
FAMILIES = {
    "FLUX": ("transformer", "FluxControlNetModel", "a FLUX model"),
    "FLUX.2": ("transformer", "Flux2KVTransformerModel", "a FLUX.2 model"),
    "SD3": ("transformer", "SD3ControlNetModel", "a Stable Diffusion 3 model"),
    "HiDream": ("transformer", "HiDreamImageTransformer2DModel", "a HiDream model"),
    "Qwen": ("transformer", "QwenImageControlNetModel", "a Qwen-Image model"),
    "of tomorrow": ("transformer", "Tomorrow2DModel", "a model of the class Tomorrow2DModel"),
    "unnamed": ("transformer", None, "a model of an unnamed class"),
    "Cascade": ("prior", "StableCascadeCombinedPipeline", "a Stable Cascade model"),
}


#: What is asked of a checkpoint before it is loaded, and loading it.
QUESTIONS = {
    "load": lambda library, name: library.get_checkpoint(name),
    "traits": lambda library, name: library.model_traits(name),
    "tokenizer": lambda library, name: library.checkpoint_tokenizer(name),
    "embeddings": lambda library, name: library.count_embedding_vectors(name),
    "size": lambda library, name: library.natural_size(name),
    "role": lambda library, name: library.checkpoint_role(name),
    "hash": lambda library, name: library.checkpoint_hash(name),
    "refiner": lambda library, name: library.can_refine(name, "good"),
    "refined": lambda library, name: library.can_refine("good", name),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_whatever_is_asked_first_another_family_is_named(shelf, question):
    folder = shelf / "other"
    (folder / "transformer").mkdir(parents=True)
    settings = {"_class_name": "HiDreamImageTransformer2DModel"}
    (folder / "transformer" / "config.json").write_text(json.dumps(settings))
    library = make_library(shelf)

    QUESTIONS[question](library, "net")
    with pytest.raises(UnsupportedWeights, match="other is a HiDream model"):
        QUESTIONS[question](library, "other")


@pytest.mark.parametrize("name", FAMILIES)
def test_another_family_is_named_and_left_out(shelf, caplog, name):
    part, class_name, title = FAMILIES[name]
    folder = shelf / "checkpoints" / "other"
    (folder / part).mkdir(parents=True)
    settings = {} if class_name is None else {"_class_name": class_name}
    (folder / part / "config.json").write_text(json.dumps(settings))
    (folder / "model_index.json").write_text(json.dumps(settings))
    shutil.copy(
        shelf / "good" / "unet" / "diffusion_pytorch_model.safetensors",
        folder / part / "diffusion_pytorch_model.safetensors",
    )
    library = make_library(shelf)

    with caplog.at_level(logging.WARNING):
        names = {info.name for info in library.list_models() if info.kind == "diffusion"}
    assert {"good", "net"} <= names
    assert not {name for name in names if "other" in name or "pytorch" in name}
    assert f"other is {title}, which Easel does not run yet" in caplog.text
    with pytest.raises(UnsupportedWeights, match=title):
        library.get_checkpoint("other")
    lines, failures = verify_files(shelf, FileHashes(shelf / "hashes.json"))
    assert failures == 1
    assert any("checkpoints/other" in line and title in line for line in lines)


def test_a_folder_out_of_the_hubs_own_cache_goes_by_its_repository(shelf):
    place = shelf / "checkpoints" / "models--owner--dream" / "snapshots"
    place.mkdir(parents=True)
    (shelf / "net").rename(place / ("5" * 40))

    assert find_checkpoints(shelf, "good", shelf)[0]["dream"] == place / ("5" * 40)


def test_a_drive_that_answers_with_errors_stops_nothing(shelf, caplog, monkeypatch):
    real_stat, real_listdir = os.stat, os.listdir

    def fail(real):
        def call(path, *arguments, **named):
            if f"{os.sep}net" in os.fspath(path):
                raise OSError(5, "Input/output error")
            return real(path, *arguments, **named)

        return call

    library = make_library(shelf)
    library.list_models()
    (shelf / "net" / "inpaint" / "unet").mkdir(parents=True)
    for name in ("net", "net-inpaint"):
        monkeypatch.setattr(os, "stat", fail(real_stat))
        monkeypatch.setattr(os, "listdir", fail(real_listdir))
        names = {info.name for info in library.list_models()}
        assert "good" in names
        assert name not in names


@pytest.mark.parametrize("layout", ["whole", "shards"])
def test_a_checkpoint_that_is_exchanged_while_it_is_read_is_not_used(shelf, monkeypatch, layout):
    LAYOUTS[layout](shelf / "net")
    real_load = loader.diffusers_folder.load_folder

    def load_and_exchange(folder, *arguments):
        model = real_load(folder, *arguments)
        os.utime(find_part_files(folder, "unet")[-1], (1, 1))
        return model

    library = make_library(shelf)
    monkeypatch.setattr(loader.diffusers_folder, "load_folder", load_and_exchange)
    with pytest.raises(CorruptWeights, match="net was exchanged while it was being loaded"):
        library.get_checkpoint("net")
    monkeypatch.undo()
    assert library.get_checkpoint("net").size == 64
