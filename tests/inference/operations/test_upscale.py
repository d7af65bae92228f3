"""Upscaling as a job: what it refuses, and pictures of every kind."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from spandrel.architectures.Compact import Compact

from inference.api.config import EngineConfig
from inference.api.errors import JobError
from inference.api.jobs import UpscaleJob
from inference.model_files.errors import UnknownModel, UnsupportedWeights
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.upscale import run_upscale


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A host with two small upscalers and a file that holds none."""
    folder = tmp_path_factory.mktemp("host")
    (folder / "upscalers").mkdir()
    for name, scale in (("net", 2), ("four", 4)):
        state = Compact(num_feat=8, num_conv=2, upscale=scale).state_dict()
        save_file(state, folder / "upscalers" / f"{name}.safetensors")
    save_file({"what.weight": torch.zeros(3, 3)}, folder / "upscalers" / "odd.safetensors")
    config = EngineConfig(models_dir=str(folder), cache_dir=str(folder / "cache"))
    return ModelLibrary(config, torch.device("cpu"), torch.float32)


@pytest.fixture
def enlarge(library, run_operation):
    def run(image, max_pixels=2048 * 2048, **settings):
        job = UpscaleJob(**{"upscaler": "net", **settings})
        operation = run_upscale(job, {"image": image}, OperationContext(library, max_pixels))
        return run_operation(operation, library=library).images[0].image

    return run


def noise(*shape):
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8))


@pytest.mark.parametrize("size", [(1, 1), (8, 5000), (33, 17)])
def test_any_size_is_enlarged(enlarge, size):
    assert enlarge(noise(size[1], size[0], 3)).size == (size[0] * 2, size[1] * 2)


@pytest.mark.parametrize("crop", [False, True])
def test_one_side_alone_keeps_the_shape(enlarge, crop):
    image = Image.new("RGB", (40, 20), "red")
    assert enlarge(image, upscaler="lanczos", width=100, crop=crop).size == (100, 50)
    assert enlarge(image, upscaler="lanczos", height=30, crop=crop).size == (60, 30)
    assert enlarge(image, upscaler="lanczos", width=90, height=90, crop=crop).size == (
        (90, 90) if crop else (180, 90)
    )


def test_transparency_is_kept(enlarge):
    image = noise(20, 30, 4)
    found = enlarge(image, factor=2.5)
    assert (found.mode, found.size) == ("RGBA", (75, 50))


@pytest.mark.parametrize("factor", [0, 0.99, 8.01, 9, float("nan")])
def test_factors_beyond_the_bounds_are_refused(factor):
    with pytest.raises(JobError, match="must lie between 1 and 8"):
        UpscaleJob(factor=factor)


def test_a_target_over_the_ceiling_names_the_largest_factor(enlarge):
    image = Image.new("RGB", (100, 50))
    with pytest.raises(JobError, match=r"800 x 400 is more than.*largest factor .* is 2\.82"):
        enlarge(image, max_pixels=10_000, factor=8)
    assert enlarge(image, max_pixels=10_000, factor=2.82).size == (282, 141)


def test_a_picture_over_the_ceiling_is_to_be_scaled_down(enlarge):
    with pytest.raises(JobError, match="Scale the picture down first"):
        enlarge(Image.new("RGB", (100, 50)), max_pixels=1000, factor=1)


def test_a_picture_too_large_on_its_way_is_refused(enlarge):
    image = Image.new("RGB", (100, 99))
    with pytest.raises(JobError, match="would make 400 x 396 pixels first"):
        enlarge(image, max_pixels=9000, upscaler="four", factor=1)
    assert enlarge(image, max_pixels=9000, factor=1).size == image.size


def test_an_upscaler_that_is_none_names_those_there_are(enlarge):
    with pytest.raises(UnknownModel, match=r"no upscaler “nett” here\. Did you mean net"):
        enlarge(noise(8, 8, 3), upscaler="nett")


def test_a_file_that_is_no_upscaler_fails_with_words(enlarge):
    with pytest.raises(UnsupportedWeights, match="no architecture that Easel knows"):
        enlarge(noise(8, 8, 3), upscaler="odd")


def test_denoising_is_for_networks_made_for_it(enlarge):
    with pytest.raises(UnsupportedWeights, match="net denoises as it was trained to"):
        enlarge(noise(8, 8, 3), denoise=0.5)


def test_no_side_is_longer_than_asked(enlarge):
    assert enlarge(noise(20, 40, 3), factor=4, max_side=60).size == (60, 30)
    assert enlarge(noise(20, 40, 3), factor=2, max_side=100).size == (80, 40)
    assert enlarge(noise(20, 40, 3), factor=2, max_side=20).size == (20, 10)
