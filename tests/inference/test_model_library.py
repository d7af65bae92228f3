"""The names of models, and how many of them stay loaded."""

import gc
import shutil
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from inference.api.config import EngineConfig
from inference.diffusion.model import DiffusionModel
from inference.model_files.errors import UnknownModel, UnsupportedWeights
from inference.model_files.files import find_files
from inference.model_library import ModelLibrary
from inference.runtime.memory import weight_bytes
from inference.upscaling.registry import UpscalerRegistry
from inference.upscaling.upscaler import Upscaler

KINDS = (DiffusionModel, torch.nn.Parameter)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory, write_original):
    folder = tmp_path_factory.mktemp("shelf")
    write_original(folder / "one.safetensors", seed=1)
    (folder / "checkpoints").mkdir()
    write_original(folder / "checkpoints" / "two.safetensors", "sdxl", seed=2)
    return folder


@pytest.fixture
def make_library(shelf, tmp_path, tiny_configs):
    def make(model="one", **more):
        config = EngineConfig(model=model, models_dir=str(shelf), cache_dir=str(tmp_path / "cache"))
        cpu = torch.device("cpu")
        return ModelLibrary(config, cpu, torch.float32, configs=tiny_configs, **more)

    return make


@pytest.fixture
def young_objects():
    """Leave what was there before out of every collection and count."""
    gc.collect()
    gc.freeze()
    yield lambda: [found for found in gc.get_objects() if type(found) in KINDS]
    gc.unfreeze()


def test_files_are_named_without_their_ending(make_library):
    library = make_library()

    assert (library.resolve_name(""), library.resolve_name("two")) == ("one", "two")
    assert library.natural_size("one") == 64
    assert {"starter", "one", "two"} <= {info.name for info in library.list_models()}


def test_a_configured_path_is_named_like_any_file(make_library, shelf, tmp_path):
    elsewhere = tmp_path / "mine.safetensors"
    shutil.copy(shelf / "one.safetensors", elsewhere)

    assert make_library(str(elsewhere)).resolve_name("") == "mine"
    assert make_library(str(shelf / "one.safetensors")).resolve_name("") == "one"


@pytest.mark.parametrize("name", ["../one", "/etc/passwd", "one.safetensors", "checkpoints/two"])
def test_a_path_is_no_name(make_library, name):
    with pytest.raises(UnknownModel, match="no checkpoint"):
        make_library().resolve_name(name)


def test_an_unknown_name_gets_the_nearest(make_library):
    with pytest.raises(UnknownModel, match="Did you mean one"):
        make_library().resolve_name("onne")


def test_a_new_file_is_found_by_the_next_job(make_library, shelf):
    library = make_library()
    assert library.resolve_name("") == "one"
    library.folder.list_files("embeddings")
    files = (shelf / "later.safetensors", shelf / "embeddings" / "easy.safetensors")
    files[1].parent.mkdir()
    for file in files:
        shutil.copy(shelf / "one.safetensors", file)
    try:
        assert library.resolve_name("later") == "later"
        assert library.natural_size("later") == 64
        assert set(library.folder.list_files("embeddings")) == {"easy"}
    finally:
        shutil.rmtree(files[1].parent)
        files[0].unlink()
    with pytest.raises(UnknownModel):
        library.natural_size("later")


def test_a_file_that_is_no_checkpoint_is_left_out_of_the_list(make_library, shelf):
    broken = shelf / "broken.safetensors"
    broken.write_bytes(b"PK\x03\x04" + bytes(30))
    try:
        library = make_library()
        assert "broken" not in {info.name for info in library.list_models()}
        with pytest.raises(UnsupportedWeights, match="pickle"):
            library.get_checkpoint("broken")
    finally:
        broken.unlink()


@pytest.mark.parametrize("switches", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_switching_holds_one_model(make_library, young_objects, switches):
    library = make_library(budget=1)
    held = {}
    for turn in range(switches):
        model = library.get_checkpoint(("one", "two")[turn % 2])
        weights = weight_bytes(model.unet, model.vae, *model.text_encoders.models)
        del model
        if turn in (4, 5, switches - 2, switches - 1):
            found = young_objects()
            models = sum(type(one) is DiffusionModel for one in found)
            tensors = sum(one.nbytes for one in found if type(one) is not DiffusionModel)
            held.setdefault(turn % 2, []).append((models, tensors <= weights, tensors))
            del found

    assert all(early == late for early, late in held.values())
    assert all(early[:2] == (1, True) for early, _ in held.values())
    assert list(library.model_cache) == [("diffusion", "two")]


def test_models_stay_within_the_budget(make_library):
    library = make_library(budget=2**30)
    first = library.get_checkpoint("one")
    library.get_checkpoint("two")

    assert first is library.get_checkpoint("one")
    assert 0 < library.model_cache.held_bytes < 2**30


def test_switches_stay_within_a_budget_for_one_and_a_half(make_library):
    bytes_of = {name: weights_of(make_library(name)) for name in ("one", "two")}
    budget = int(1.5 * max(bytes_of.values()))
    library = make_library(budget=budget)
    for turn in range(10):
        library.get_checkpoint(("one", "two")[turn % 2])
        assert library.model_cache.held_bytes <= budget

    assert (library.model_cache.loads, library.model_cache.evictions) == (10, 9)


def weights_of(library):
    library.get_checkpoint("")
    return library.model_cache.held_bytes


def test_an_upscaler_is_counted_in_the_same_budget(make_library, monkeypatch, tmp_path):
    network = Upscaler(
        descriptor=SimpleNamespace(model=torch.nn.Linear(10, 10, bias=False)),
        device=torch.device("cpu"),
        autocast=None,
        scale=4,
        overlap=17,
        exact=True,
    )
    monkeypatch.setattr(UpscalerRegistry, "load_network", lambda self, key: network)
    monkeypatch.setattr(UpscalerRegistry, "find_path", lambda self, key: tmp_path / "x.safetensors")
    save_file({"w": torch.zeros(10, 10)}, tmp_path / "x.safetensors")
    roomy, tight = make_library(budget=2**30), make_library(budget=1)
    for library in (roomy, tight):
        library.get_checkpoint("one")
        traits = library.upscalers.network_traits("x")

    assert (traits.scale, traits.tile, traits.overlap, traits.exact) == (4, 222, 17, True)
    assert list(roomy.model_cache) == [("diffusion", "one"), ("upscaler", "x")]
    assert list(tight.model_cache) == [("upscaler", "x")]
    tight.get_checkpoint("one")
    assert tight.upscalers.network_traits("x") == traits
    assert list(tight.model_cache) == [("diffusion", "one")]


def test_describers_are_counted_in_the_same_budget(make_library):
    library = make_library(budget=1)

    assert library.describers.model_cache is library.model_cache


def test_what_is_known_of_a_checkpoint_outlives_it(make_library):
    library = make_library(budget=1)
    traits = library.model_traits("one")
    library.get_checkpoint("two")

    assert ("one", library.checkpoint_hash("one"), False) == (
        traits.name,
        traits.digest,
        traits.is_inpainting,
    )
    assert traits is library.model_traits("one")
    assert list(library.model_cache) == [("diffusion", "two")]


def test_a_tokenizer_needs_no_loading(make_library, tiny_model):
    library = make_library(str(tiny_model / "tiny"))

    assert library.checkpoint_tokenizer("one").ids("a red") == [3, 4]
    assert library.checkpoint_tokenizer("tiny").ids("a red") == [3, 4]
    assert len(library.model_cache) == 0


def test_what_fits_is_what_is_loaded_then_the_first_named(make_library):
    both = [("diffusion", "two"), ("diffusion", "one")]
    large, small = make_library(budget=2**30), make_library(budget=1)

    assert set(both) == large.loadable_together(both)
    assert small.loadable_together(both) == {both[0]}
    small.get_checkpoint("one")
    assert small.loadable_together(both) == {both[1]}
    assert small.loadable_together([("diffusion", "gone"), both[0]]) == {("diffusion", "gone")}


def test_the_short_hash_needs_no_loading(make_library):
    library = make_library()

    assert library.checkpoint_hash("one") == library.get_checkpoint("one").digest
    assert len(library.checkpoint_hash("two")) == 10


def test_the_same_picture_as_from_the_parts(make_library, write_original, tmp_path):
    parts = write_original(tmp_path / "same.safetensors", seed=1)
    model = make_library().get_checkpoint("one")
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = parts.vae.decode(latent).sample
        actual = model.vae.decode(latent).sample

    assert torch.allclose(expected, actual, atol=1e-5)


def test_files_of_a_folder_are_found_in_its_folders_too(tmp_path):
    (tmp_path / "loras" / "deep").mkdir(parents=True)
    for name in ("a.safetensors", "deep/b.safetensors", "c.ckpt"):
        (tmp_path / "loras" / name).touch()

    assert set(find_files(tmp_path, "loras")) == {"a", "b"}


def test_loras_that_a_tag_can_name_are_listed(make_library, shelf):
    (shelf / "loras" / "deep").mkdir(parents=True)
    for name in ("b", "deep/A", "not:this"):
        save_file({"w": torch.zeros(1)}, shelf / "loras" / f"{name}.safetensors")

    named = [info.name for info in make_library().list_models() if info.kind == "lora"]

    assert named == ["A", "b"]
