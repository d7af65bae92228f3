"""Tilings are measured between other work, once, and only where there is something to cut."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from spandrel.architectures.Compact import Compact

from inference.api.config import EngineConfig
from inference.api.jobs import UpscaleJob
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.shared.tiles import TUNE_QUEUE, UPSCALE_QUEUE
from inference.operations.upscale import run_upscale
from inference.worker.executors import build_executors, tile_batch_rule


@pytest.fixture
def host(tmp_path):
    (tmp_path / "upscalers").mkdir()
    state = Compact(num_feat=4, num_conv=1, upscale=2).state_dict()
    save_file(state, tmp_path / "upscalers" / "net.safetensors")
    return tmp_path


@pytest.fixture
def make_library(host):
    def make(**settings):
        config = EngineConfig(models_dir=str(host), cache_dir=str(host / "cache"), **settings)
        return ModelLibrary(config, torch.device("cpu"), torch.float32)

    return make


def lanes(library, size):
    """Run an upscale; list the kinds of lanes that it asked of, one an ask."""
    hands = build_executors(library)
    operation = run_upscale(
        UpscaleJob(upscaler="net"), {"image": Image.new("RGB", size)}, OperationContext(library)
    )
    asked = []
    results = None
    while True:
        try:
            works = operation.send(results).works
        except StopIteration as stop:
            assert (size[0] * 2, size[1] * 2) == stop.value.images[0].image.size
            return asked
        asked.append(works[0].queue_key[0])
        results = hands[works[0].queue_key[0]](works[0].queue_key, [work.payload for work in works])


def test_the_first_picture_of_several_tiles_lets_them_be_measured(make_library, host):
    library = make_library()

    first = lanes(library, (300, 40))

    assert set(first) == {TUNE_QUEUE, UPSCALE_QUEUE}
    assert sorted(first, key=UPSCALE_QUEUE.__eq__) == first
    assert lanes(library, (300, 40)) == [UPSCALE_QUEUE]
    assert lanes(make_library(), (300, 40)) == [UPSCALE_QUEUE]
    kept = json.loads((host / "cache" / "measured.json").read_text("utf-8"))
    assert {key.partition("|")[0] for key in kept} == {"precision", "tiling"}


def test_a_single_tile_waits_for_nothing(make_library):
    assert lanes(make_library(), (200, 40)) == [UPSCALE_QUEUE]


def test_where_results_are_to_be_the_same_again_nothing_is_measured(make_library):
    assert lanes(make_library(deterministic=True), (300, 40)) == [UPSCALE_QUEUE]


def test_the_tiling_says_how_many_tiles_share_a_call(make_library):
    library = make_library()
    rule = tile_batch_rule(library)[UPSCALE_QUEUE]

    assert rule((UPSCALE_QUEUE, "net", ((3, 128, 128), False, 0))) == 1
    assert rule(UPSCALE_QUEUE) == 1


def test_every_call_that_is_timed_is_a_step_that_keeps_the_job_alive(make_library, run_operation):
    library, steps = make_library(), []
    job = UpscaleJob(upscaler="net")
    operation = run_upscale(job, {"image": Image.new("RGB", (300, 40))}, OperationContext(library))

    run_operation(operation, library=library, progress=steps)

    done = [step for step, _ in steps]
    assert sorted(done) == done
    assert len(set(done)) > 4
