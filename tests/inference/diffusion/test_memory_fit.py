"""What fits is known from headers, before a weight is read; what does not is refused with words."""

from pathlib import Path

import pytest
import torch

from inference import model_library
from inference.api.config import EngineConfig
from inference.diffusion import loader as loader_module
from inference.diffusion.loader import CheckpointLoader, model_bytes
from inference.model_files.errors import UnsupportedWeights
from inference.model_files.files import ModelFolder
from inference.model_files.hashes import FileHashes
from inference.model_files.pipelines.part_sizes import measure_parts
from inference.model_library import ModelLibrary
from inference.runtime.memory import weight_bytes

FLOAT32 = {"network": 4, "text": 4, "autoencoder": 4}


@pytest.fixture
def loader(tiny_model, tmp_path, tiny_configs):
    hashes = FileHashes(tmp_path / "hashes.json")
    return CheckpointLoader(
        ModelFolder(tiny_model), tiny_configs, hashes, torch.device("cpu"), torch.float32
    )


def test_parts_are_counted_as_they_lie_in_memory(loader, tiny_model):
    path = tiny_model / "tiny"
    sizes, model = measure_parts(path, FLOAT32), loader.build_model(path, "tiny")

    assert sizes.network == weight_bytes(model.network)
    assert sizes.autoencoder == weight_bytes(model.vae)
    assert sizes.text == pytest.approx(weight_bytes(*model.text_encoders.models), rel=0.02)
    assert sizes.total == pytest.approx(model_bytes(model), rel=0.02)
    assert 0 < sizes.text_block < sizes.text


@pytest.fixture
def make_library(tiny_model, tmp_path, tiny_configs, monkeypatch):
    def make(free_bytes: int, device: str = "cpu") -> ModelLibrary:
        monkeypatch.setattr(model_library, "count_usable_bytes", lambda *_: free_bytes)
        config = EngineConfig(
            model="tiny", models_dir=str(tiny_model), cache_dir=str(tmp_path / "cache")
        )
        place = torch.device(device)
        return ModelLibrary(config, place, torch.float32, budget=2**30, configs=tiny_configs)

    return make


def read_fit(library: ModelLibrary) -> str:
    return next(model.fit for model in library.list_models() if model.name == "tiny")


@pytest.mark.parametrize(("device", "words"), [("cpu", "this machine has"), ("meta", "the card's")])
def test_what_does_not_fit_is_refused_before_a_weight_is_read(
    make_library, monkeypatch, device, words
):
    def read_weights(*_: object, **__: object) -> None:
        raise AssertionError("a weight was read")

    monkeypatch.setattr(loader_module.diffusers_folder, "open_tensors", read_weights)
    library = make_library(2**20, device)

    assert read_fit(library) == "not"
    with pytest.raises(UnsupportedWeights, match=words) as refusal:
        library.get_checkpoint("tiny")
    assert "tiny takes 0." in str(refusal.value)
    assert not library.resident_checkpoints()


def test_a_card_with_less_room_takes_turns_and_then_blocks(make_library, loader, tiny_model):
    path: Path = tiny_model / "tiny"
    sizes = measure_parts(path, FLOAT32)
    work = loader._count_work(path)
    whole = sizes.total + work
    turns = max(sizes.network, sizes.text, sizes.autoencoder) + work

    fits = [read_fit(make_library(size, "meta")) for size in (whole, whole - 1, turns, work)]
    assert fits == ["whole", "parts", "parts", "not"]


def test_where_memory_cannot_be_asked_the_host_decides(make_library):
    assert read_fit(make_library(None, "meta")) == "whole"
