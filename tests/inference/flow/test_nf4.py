"""Layers in four bits, as bitsandbytes writes them; without it the refusal names the extra."""

import shutil
from importlib.util import find_spec

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.diffusion.loader import CheckpointLoader
from inference.diffusion.quantized.quantized_linear import QuantizedLinear
from inference.model_files import pipeline_folder
from inference.model_files.errors import UnsupportedWeights
from inference.model_files.files import ModelFolder
from inference.model_files.hashes import FileHashes
from inference.model_files.pipelines.part_sizes import is_large_weight
from tests.inference.flow.gguf_files import NETWORK_FILE
from tests.inference.flow.test_fp8 import assert_close, run_network

CPU = torch.device("cpu")


@pytest.fixture
def loader(flow_models, tmp_path):
    hashes = FileHashes(tmp_path / "hashes.json")
    return CheckpointLoader(ModelFolder(flow_models), tmp_path, hashes, CPU, torch.float32)


def test_without_the_extra_it_is_named(loader, flow_models, tmp_path, monkeypatch):
    folder = tmp_path / "nf4"
    shutil.copytree(flow_models / "z-image", folder)
    weights = load_file(folder / NETWORK_FILE)
    weights["layers.0.attention.to_q.weight.quant_state.bitsandbytes__nf4"] = torch.zeros(
        8, dtype=torch.uint8
    )
    save_file(weights, folder / NETWORK_FILE)
    monkeypatch.setattr(pipeline_folder, "find_spec", lambda _: None)

    with pytest.raises(UnsupportedWeights, match=r"easel-bot\[nf4\]"):
        loader.build_model(folder, "nf4")


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="the extra nf4 is not installed")
def test_four_bits_come_to_what_bitsandbytes_itself_says(loader, flow_models, tmp_path):
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    folder, plain = tmp_path / "nf4", tmp_path / "plain"
    for target in (folder, plain):
        shutil.copytree(flow_models / "z-image", target)
    weights = load_file(folder / NETWORK_FILE)
    small, numbers = dict(weights), dict(weights)
    for name, weight in weights.items():
        if is_large_weight(name, weight.shape):
            small[name], state = quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
            parts = state.as_dict(packed=True)
            small |= {f"{name}.{part}": value for part, value in parts.items()}
            numbers[name] = dequantize_4bit(small[name], state)
    save_file(small, folder / NETWORK_FILE)
    save_file(numbers, plain / NETWORK_FILE)
    model = loader.build_model(folder, "nf4")

    assert any(isinstance(layer, QuantizedLinear) for layer in model.network.modules())
    assert_close(run_network(model), run_network(loader.build_model(plain, "plain")))
