"""Checkpoints from a hub: a server on this machine that answers as the hub's API does."""

import json
import shutil

import pytest
import torch
from diffusers import UNet2DConditionModel

from inference import manage_models
from inference.api.config import EngineConfig
from inference.model_files.errors import (
    AccessDenied,
    CorruptWeights,
    MissingWeights,
    UnsupportedWeights,
)
from inference.model_files.hub import ModelHub, is_hub_id, pull_checkpoint
from inference.model_library import ModelLibrary
from tests.doubles.model_hub import TOKEN, serve_hub

VAE = "vae/diffusion_pytorch_model.safetensors"
UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def hub(tiny_model, tmp_path):
    folder = tmp_path / "hub"
    shutil.copytree(tiny_model / "tiny", folder)
    write_index(folder, "StableDiffusionPipeline")
    (folder / "README.md").write_text("a card")
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"PK")
    (folder / "safety_checker").mkdir()
    (folder / "safety_checker" / "model.safetensors").write_bytes(b"x")
    with serve_hub({"owner/tiny": folder}) as server:
        server.folder = folder
        yield server


def write_index(folder, family):
    (folder / "model_index.json").write_text(json.dumps({"_class_name": family}))


@pytest.fixture
def pull(hub, tmp_path):
    def run(repository="owner/tiny", token=None):
        target = tmp_path / "models" / "checkpoints" / "tiny"
        cache = tmp_path / "cache"
        return pull_checkpoint(repository, target, cache, 60.0, hub=ModelHub(hub.address, token))

    return run


def test_a_checkpoint_is_fetched_without_what_nobody_needs_and_loads(pull, tmp_path):
    made = pull()
    there = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert {UNET, VAE, "model_index.json"} <= there
    assert not any(name.endswith((".bin", ".md")) or "safety" in name for name in there)
    models = str(tmp_path / "models")
    config = EngineConfig(model="tiny", models_dir=models, cache_dir=str(tmp_path))
    library = ModelLibrary(config, torch.device("cpu"), torch.float32)
    assert library.get_checkpoint("tiny").size == 64


def test_half_precision_is_taken_where_it_is_there(pull, hub):
    half = (hub.folder / UNET).with_suffix(".fp16.safetensors")
    (hub.folder / UNET).rename(half)
    (hub.folder / UNET).write_bytes(b"twice as large")
    made = pull()
    assert half.read_bytes() == (made / UNET).with_name(half.name).read_bytes()
    assert not (made / UNET).exists()


def test_what_an_earlier_try_fetched_is_not_fetched_again(pull, hub):
    hub.changed[VAE] = {"lfs": {"sha256": "f" * 64, "size": 1, "pointerSize": 133}}
    with pytest.raises(CorruptWeights, match="is not the file it should be"):
        pull()
    assert UNET in hub.fetched
    hub.changed.clear()
    hub.fetched.clear()
    pull()
    assert hub.fetched == [VAE]


def test_a_files_part_survives_an_interruption(pull, hub, tmp_path):
    hub.breaks[UNET] = 20_000
    with pytest.raises(MissingWeights, match="could not be fetched"):
        pull()
    assert not (tmp_path / "models").exists()
    hub.breaks.clear()
    hub.headers.clear()
    made = pull()
    assert "bytes=20000-" in [headers.get("Range") for headers in hub.headers]
    assert (made / UNET).read_bytes() == (hub.folder / UNET).read_bytes()
    assert not [path for path in made.rglob("*") if path.name.startswith(".") or path.is_symlink()]


def test_the_hub_is_told_neither_tokens_nor_what_runs_here(pull, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    pull()
    assert not any("Authorization" in headers for headers in hub.headers)
    assert "torch" not in " ".join(headers["User-Agent"] for headers in hub.headers)


def test_a_file_that_is_no_safetensors_is_said(pull, hub):
    (hub.folder / UNET).write_bytes(b"<html>" * 3000)
    with pytest.raises(UnsupportedWeights, match="is a web page"):
        pull()


def test_other_families_are_refused_before_anything_large_is_fetched(pull, hub):
    write_index(hub.folder, "HiDreamImagePipeline")
    with pytest.raises(UnsupportedWeights, match="is a HiDreamImagePipeline; Easel runs Stable"):
        pull()
    assert hub.fetched == ["model_index.json"]


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_shards_are_fetched_with_their_index_and_load(pull, hub, tmp_path, variant):
    unet = UNet2DConditionModel.from_pretrained(hub.folder / "unet", use_safetensors=True)
    if variant is None:
        (hub.folder / UNET).unlink()
    unet.save_pretrained(hub.folder / "unet", max_shard_size="30KB", variant=variant)
    made = pull()

    names = {path.name for path in (made / "unet").iterdir()}
    assert len([name for name in names if "-of-" in name]) > 2
    assert len([name for name in names if ".index." in name]) == 1
    assert not (made / UNET).exists()
    config = EngineConfig(
        model="tiny", models_dir=str(tmp_path / "models"), cache_dir=str(tmp_path)
    )
    library = ModelLibrary(config, torch.device("cpu"), torch.float32)
    loaded = library.get_checkpoint("tiny").unet.state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in unet.state_dict().items())


def test_pickles_alone_are_refused(pull, hub):
    (hub.folder / UNET).unlink()
    with pytest.raises(UnsupportedWeights, match="no safetensors weights"):
        pull()


def test_nothing_is_overwritten(pull, tmp_path):
    (tmp_path / "models" / "checkpoints" / "tiny").mkdir(parents=True)
    with pytest.raises(UnsupportedWeights, match="There is a tiny already"):
        pull()


def test_what_the_hub_does_not_give_is_said(pull, hub):
    with pytest.raises(MissingWeights, match="The hub has no model owner/other"):
        pull("owner/other")
    hub.server_close()
    with pytest.raises(MissingWeights, match=r"cannot be reached.*EASEL_HUB_URL"):
        pull()


@pytest.mark.parametrize("status", [401, 403])
def test_a_gate_is_said_with_where_to_accept_and_how_to_give_a_token(pull, hub, status):
    hub.refusal = status
    with pytest.raises(AccessDenied) as caught:
        pull()
    assert f"{hub.address}/owner/tiny asks you to accept a licence" in str(caught.value)
    assert f"{hub.address}/settings/tokens" in str(caught.value)
    assert "EASEL_HUB_TOKEN_FILE" in str(caught.value)


def test_a_gated_repository_is_given_to_who_accepted(pull, hub):
    hub.gated = "manual"
    with pytest.raises(AccessDenied, match="accept a licence"):
        pull()
    with pytest.raises(AccessDenied, match="not give owner/tiny to the owner of your token"):
        pull(token="hf_anotherOne")
    assert hub.fetched == []
    assert (pull(token=TOKEN) / UNET).is_file()


def test_a_disk_without_room_is_said_before_anything_is_fetched(pull, hub, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: usage)
    with pytest.raises(MissingWeights, match=r"It takes 0\.3 GB on the disk of .* 0\.0 GB free"):
        pull()
    assert hub.fetched == []


@pytest.mark.parametrize(
    "name", ["realesr-general-x4v3", "https://a.b/c", "../a", "a/../b", "/a/b", "a/b/c"]
)
def test_ids_are_told_from_keys_and_addresses(name):
    assert is_hub_id("stable-diffusion-v1-5/stable-diffusion-v1-5")
    assert not is_hub_id(name)


def test_the_command_line_lays_it_among_the_checkpoints(tmp_path, monkeypatch, capsys):
    asked = []

    def pulled(repository, target, *_others):
        asked.append((repository, target))
        return target

    monkeypatch.setattr(manage_models, "pull_checkpoint", pulled)
    given = ["--models", str(tmp_path), "--cache", str(tmp_path / "cache"), "pull"]
    assert manage_models.main([*given, "owner/name"]) == 0
    assert manage_models.main([*given, "owner/name", "--name", "mine"]) == 0
    place = tmp_path / "checkpoints"
    assert [("owner/name", place / "name"), ("owner/name", place / "mine")] == asked
    assert "mine is there: " in capsys.readouterr().out
