"""Formats of a checkpoint's parts: overflow is remembered, and what is resident is counted."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.api.config import EngineConfig
from inference.api.errors import EngineError
from inference.diffusion import loader
from inference.diffusion.loader import CheckpointLoader
from inference.diffusion.offload import VAE, OffloadManager
from inference.diffusion.single_file import CONFIGS_DIR
from inference.model_files.errors import BrokenOutput
from inference.model_files.files import ModelFolder
from inference.model_files.hashes import FileHashes
from inference.model_library import ModelLibrary
from inference.runtime.precision import PartFormats
from tools.real_size import build_parts, original_shapes, read_narrow_config, write_model

CPU = torch.device("cpu")
VAE_FILE = "vae/diffusion_pytorch_model.safetensors"
GIGABYTE = 10**9
#: Leaves weights within float16 and takes what they make beyond it.
LOUDNESS = 1e4


@pytest.fixture
def shelf(tiny_model, tmp_path):
    """Give a checkpoint whose decoder overflows in float16, and is right in float32."""
    shutil.copytree(tiny_model / "tiny", tmp_path / "loud")
    weights = load_file(tmp_path / "loud" / VAE_FILE)
    weights["decoder.conv_in.weight"] *= LOUDNESS
    save_file(weights, tmp_path / "loud" / VAE_FILE)
    return tmp_path


def make_library(shelf, dtype=torch.float16):
    config = EngineConfig(model="loud", models_dir=str(shelf), cache_dir=str(shelf / "cache"))
    return ModelLibrary(config, CPU, dtype)


def decode(model, monkeypatch):
    """Decode once; give the formats that the decoder ran in, and the picture."""
    dtypes, real = [], model.vae.decode

    def run(latents):
        dtypes.append(latents.dtype)
        return real(latents)

    monkeypatch.setattr(model.vae, "decode", run)
    (image,) = model.decode_latents(torch.full((1, 4, 8, 8), 100.0))
    return dtypes, image


def test_an_overflow_is_met_once_and_remembered_by_the_next_worker(shelf, monkeypatch):
    model = make_library(shelf).get_checkpoint("loud")
    dtypes, image = decode(model, monkeypatch)
    assert dtypes == [torch.float16, torch.float32]
    assert decode(model, monkeypatch)[0] == [torch.float32]

    model = make_library(shelf).get_checkpoint("loud")
    dtypes, again = decode(model, monkeypatch)
    assert dtypes == [torch.float32]
    assert image.size == again.size
    assert np.abs(np.asarray(image, int) - np.asarray(again, int)).mean() < 3
    assert model.unet.dtype is torch.float16


def test_a_file_that_was_exchanged_is_tried_anew(shelf, monkeypatch):
    decode(make_library(shelf).get_checkpoint("loud"), monkeypatch)
    weights = load_file(shelf / "loud" / VAE_FILE)
    weights["decoder.conv_in.weight"] /= LOUDNESS
    save_file(weights, shelf / "loud" / VAE_FILE)

    assert decode(make_library(shelf).get_checkpoint("loud"), monkeypatch)[0] == [torch.float16]


@pytest.mark.parametrize("wants_float32", [True, False])
def test_an_sdxl_that_asks_for_float32_has_it(tmp_path, wants_float32):
    folder = write_model(tmp_path, "sdxl", "folder", 8)
    path = folder / "vae" / "config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "force_upcast": wants_float32}))
    config = EngineConfig(
        model=folder.name, models_dir=str(tmp_path), cache_dir=str(tmp_path / "cache")
    )

    model = ModelLibrary(config, CPU, torch.float16).get_checkpoint("")
    assert model.vae.dtype is (torch.float32 if wants_float32 else torch.float16)
    assert model.unet.dtype is torch.float16


def test_numbers_that_are_none_in_float32_either_are_not_remembered(shelf):
    model = make_library(shelf).get_checkpoint("loud")
    with pytest.raises(BrokenOutput):
        model.decode_latents(torch.full((1, 4, 8, 8), float("nan")))

    assert model.vae.dtype is torch.float16
    assert make_library(shelf).get_checkpoint("loud").vae.dtype is torch.float16


def test_what_is_parked_takes_the_new_format_too():
    vae = torch.nn.Linear(4, 4).half().requires_grad_(False)
    offload = OffloadManager({VAE: [vae], "unet": []}, torch.device("meta"), park=CPU)
    seat = offload._parts[VAE][0]
    seat.unload_weights()
    offload.forget_parked(VAE)
    vae.to(torch.float32)
    seat.load_weights()
    seat.unload_weights()

    assert vae.weight.dtype is torch.float32


def test_a_device_that_cannot_decode_is_named_before_any_job(shelf, monkeypatch):
    def fail(*_inputs):
        raise RuntimeError("Unable to find an engine to execute this computation")

    model = make_library(shelf, torch.float32).get_checkpoint("loud")
    monkeypatch.setattr(model.vae, "decode", fail)
    with pytest.raises(EngineError, match="The device cpu cannot decode a small picture with loud"):
        model.try_decoding()


def test_a_worker_tries_to_decode_before_it_is_ready(shelf, monkeypatch):
    asked = []
    monkeypatch.setattr(
        loader.DiffusionModel, "try_decoding", lambda model: asked.append(model.name)
    )
    config = EngineConfig(
        model="loud", models_dir=str(shelf), cache_dir=str(shelf / "cache"), device="cpu"
    )
    ModelLibrary.open(config)

    assert asked == ["loud"]


@pytest.mark.parametrize(("family", "gigabytes"), [("sdxl", 6.94), ("sd1", 2.13), ("sd2", 2.58)])
def test_in_half_precision_a_card_holds_two_bytes_a_weight(
    tmp_path, monkeypatch, family, gigabytes
):
    config = read_narrow_config(family, 1)
    shapes = original_shapes(family, config, build_parts(config, 4))
    shapes["model_ema.diffusion_modelinput_blocks00weight"] = (10**9,)
    path = tmp_path / "net.safetensors"
    write_hollow_file(path, shapes)
    formats = PartFormats(torch.float16, torch.bfloat16, torch.float16)
    monkeypatch.setattr(PartFormats, "of_device", lambda *_: formats)
    card = CheckpointLoader(
        ModelFolder(tmp_path),
        CONFIGS_DIR,
        FileHashes(tmp_path / "hashes.json"),
        torch.device("cuda"),
        torch.float16,
    )

    assert card.expected_bytes(path) / GIGABYTE == pytest.approx(gigabytes, abs=0.005)


def write_hollow_file(path, shapes):
    """Write a file of these shapes in float16 that takes up no room on the disk."""
    header, end = {}, 0
    for name, shape in shapes.items():
        size = torch.Size(shape).numel() * 2
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
