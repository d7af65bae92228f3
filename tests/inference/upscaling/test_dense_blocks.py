from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from spandrel.architectures.ESRGAN import ESRGAN

from inference.upscaling import upscaler as loading
from inference.upscaling.dense_blocks import DENSE_BLOCK_CLASS, lighten_dense_blocks
from inference.upscaling.tiling.precision_probe import psnr
from inference.upscaling.upscaler import Upscaler, load_upscaler


@pytest.fixture(params=[False, True], ids=["ESRGAN", "ESRGAN+"])
def weights(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "esrgan.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(ESRGAN(num_filters=16, num_blocks=2, plus=request.param).state_dict(), path)
    return path


def both(weights: Path, precision: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Upscaler, ...]:
    ours = load_upscaler(weights, "cpu", precision)
    monkeypatch.setattr(loading, "lighten_dense_blocks", lambda _: None)
    return ours, load_upscaler(weights, "cpu", precision)


def image() -> torch.Tensor:
    return torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_gives_the_numbers_of_the_networks_own_blocks(weights, monkeypatch):
    ours, own = both(weights, "float32", monkeypatch)

    assert (ours.enlarge_tiles(image()) - own.enlarge_tiles(image())).abs().max() <= 1e-6


def test_in_bfloat16_it_is_no_further_from_float32_than_the_networks_own(weights, monkeypatch):
    exact = load_upscaler(weights, "cpu", "float32").enlarge_tiles(image())
    ours, own = both(weights, "bfloat16", monkeypatch)

    quality = psnr(ours.enlarge_tiles(image()), exact)

    assert quality >= 54
    assert quality >= psnr(own.enlarge_tiles(image()), exact) - 0.5


def test_blocks_with_paths_of_their_own_are_left_alone(weights):
    network = load_upscaler(weights, "cpu", "float32").descriptor
    blocks = [each for each in network.model.modules() if type(each).__name__ == DENSE_BLOCK_CLASS]

    lighten_dense_blocks(network)

    taken = {"forward" in vars(each) for each in blocks}
    assert {getattr(blocks[0], "conv1x1", None) is None} == taken
