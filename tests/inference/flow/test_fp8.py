"""Large layers of flow transformers in eight bits: of files that are so, and where it is wanted."""

import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.api.catalogue.memory_plan import MemoryPlan
from inference.api.config import EngineConfig
from inference.diffusion.flow.networks import NetworkInputs
from inference.diffusion.loader import CheckpointLoader
from inference.diffusion.quantized.fp8 import FP8_DTYPE, to_fp8
from inference.diffusion.quantized.quantized_linear import QuantizedLinear
from inference.model_files.files import ModelFolder
from inference.model_files.hashes import FileHashes
from inference.model_files.pipelines.part_sizes import is_large_weight, measure_parts
from inference.model_library import ModelLibrary
from inference.runtime.memory import weight_bytes
from tests.inference.flow.flow_checkpoints import CHECKPOINTS
from tests.inference.flow.gguf_files import NETWORK_FILE
from tests.inference.flow.test_flow_memory import text_width

CPU = torch.device("cpu")
FLOAT32 = {"network": 4, "text": 4, "autoencoder": 4}
NAMES = [name for name in CHECKPOINTS if name not in ("flux-schnell", "klein-base")]


@pytest.fixture
def loader(flow_models, tmp_path):
    hashes = FileHashes(tmp_path / "hashes.json")
    return CheckpointLoader(ModelFolder(flow_models), tmp_path, hashes, CPU, torch.float32)


def run_network(model):
    draws = torch.Generator().manual_seed(1)
    config = model.network.config
    inputs = NetworkInputs(
        latents=torch.randn(1, 16, 8, 8, generator=draws),
        levels=torch.full((1,), 0.5),
        text=torch.randn(1, 32, text_width(config), generator=draws),
        text_lengths=[32],
        pooled=torch.randn(1, config.get("pooled_projection_dim") or 1, generator=draws),
        guidance=torch.full((1,), 3.5),
    )
    with torch.inference_mode():
        return model.run_network(model.network, inputs)


def assert_close(found, wanted):
    """See that two answers differ by nothing but the order of sums."""
    assert (found - wanted).abs().max() < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_eight_bits_by_wish_come_to_the_rounded_weights(loader, flow_models, tmp_path, name):
    model = loader.build_model(flow_models / name, name, MemoryPlan(weight_format="fp8"))
    twin = tmp_path / name
    shutil.copytree(flow_models / name, twin)
    weights = load_file(twin / NETWORK_FILE)
    rounded = {
        key: to_fp8(value).float() if is_large_weight(key, value.shape) else value
        for key, value in weights.items()
    }
    save_file(rounded, twin / NETWORK_FILE)
    layers = {n: m for n, m in model.network.named_modules() if isinstance(m, QuantizedLinear)}

    assert layers
    assert not any("norm" in place or "embed" in place for place in layers)
    assert_close(run_network(model), run_network(loader.build_model(twin, name)))
    sizes = measure_parts(flow_models / name, FLOAT32)
    # Chroma has a table that no file holds.
    assert sizes.fp8_network == pytest.approx(weight_bytes(model.network), rel=0.01)
    assert sizes.fp8_network < sizes.network
    assert sizes.fp8_block <= sizes.network_block


def test_a_file_in_eight_bits_stays_so_and_its_scales_count(loader, flow_models, tmp_path):
    folder, plain = tmp_path / "fp8", tmp_path / "plain"
    for target in (folder, plain):
        shutil.copytree(flow_models / "z-image", target)
    weights = load_file(folder / NETWORK_FILE)
    place = "layers.0.attention.to_q"
    small = {
        key: to_fp8(value) if is_large_weight(key, value.shape) else value
        for key, value in weights.items()
    }
    numbers = {key: value.float() for key, value in small.items()}
    numbers[f"{place}.weight"] = numbers[f"{place}.weight"] * 0.5
    small[f"{place}.scale_weight"] = torch.tensor(0.5)
    save_file(small, folder / NETWORK_FILE)
    save_file(numbers, plain / NETWORK_FILE)
    model = loader.build_model(folder, "fp8")

    assert_close(run_network(model), run_network(loader.build_model(plain, "plain")))
    sizes = measure_parts(folder, FLOAT32)
    assert sizes.network == pytest.approx(weight_bytes(model.network), abs=8)


def test_what_is_beyond_eight_bits_becomes_their_largest():
    assert to_fp8(torch.tensor([1e6, -1e6, 0.5])).float().tolist() == [448.0, -448.0, 0.5]
    assert torch.finfo(FP8_DTYPE).max == 448


@pytest.mark.parametrize(("setting", "is_small"), [("fp8", True), ("full", False), ("auto", False)])
def test_the_host_s_setting_reaches_the_layers(flow_models, tmp_path, setting, is_small):
    config = EngineConfig(
        model="z-image",
        models_dir=str(flow_models),
        cache_dir=str(tmp_path),
        weight_format=setting,
    )
    network = ModelLibrary(config, CPU, torch.float32).get_checkpoint("z-image").network

    assert any(isinstance(layer, QuantizedLinear) for layer in network.modules()) == is_small


def test_a_card_on_which_sixteen_bits_do_not_fit_gets_eight(flow_models, loader):
    path = flow_models / "flux-dev"
    sizes, work = measure_parts(path, FLOAT32), loader._count_work(path)
    card = replace(loader, device=torch.device("meta"))
    room = max(sizes.fp8_network, sizes.text, sizes.autoencoder, 2 * sizes.text_block) + work
    assert room < sizes.network + work
    plans = [card.find_plan(path, room, weight_format=name) for name in (None, "fp8", "full")]

    assert plans[0] == plans[1]
    assert (plans[0].weight_format, plans[0].low_memory) == ("fp8", "medvram")
    assert plans[2] is None or plans[2].low_memory == "lowvram"
