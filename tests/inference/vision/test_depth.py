"""Depth maps, by tiny random networks of transformers' own classes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from transformers import (
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    DPTImageProcessor,
)

from inference.model_files.errors import MissingWeights
from inference.runtime.model_cache import ModelCache
from inference.vision.depth import DepthLibrary
from tests.inference.engine.control_nets import make_map

CPU = torch.device("cpu")


def save_network(folder):
    backbone = Dinov2Config(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
        patch_size=14,
    )
    with torch.random.fork_rng():
        torch.manual_seed(2)
        network = DepthAnythingForDepthEstimation(config)
        for name, weight in network.named_parameters():  # so that a random network answers
            if name.startswith(("neck.", "head.")):
                torch.nn.init.normal_(weight, std=0.3)
        network.save_pretrained(folder)
    DPTImageProcessor(size={"height": 28, "width": 28}).save_pretrained(folder)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    models = tmp_path_factory.mktemp("models")
    save_network(models / "depth" / "small")
    return models


def test_depth_has_the_pictures_size_and_reaches_from_black_to_white(models):
    library = DepthLibrary(models, CPU, ModelCache(10**9))
    picture = make_map(3, 90).crop((0, 0, 90, 60))
    (depth,) = library.estimate_depths([picture])
    levels = np.asarray(depth)
    assert (depth.mode, depth.size) == ("RGB", picture.size)
    assert (levels.min(), levels.max()) == (0, 255)
    assert (levels[..., 0] == levels[..., 2]).all()


def test_a_network_is_loaded_once_and_counts_as_memory(models):
    cache = ModelCache(10**9)
    library = DepthLibrary(models, CPU, cache)
    library.estimate_depths([make_map(3)])
    library.estimate_depths([make_map(4)])
    assert cache.loads == 1
    assert cache.held_bytes > 0


def test_what_tells_metres_or_something_else_is_no_depth_network(tmp_path):
    for name, config in (
        ("metres", {"model_type": "depth_anything", "depth_estimation_type": "metric"}),
        ("other", {"model_type": "blip"}),
    ):
        (tmp_path / "depth" / name).mkdir(parents=True)
        (tmp_path / "depth" / name / "config.json").write_text(json.dumps(config))
    library = DepthLibrary(tmp_path, CPU, ModelCache(10**9))
    assert not library.has_network
    with pytest.raises(MissingWeights):
        library.estimate_depths([make_map(3)])
