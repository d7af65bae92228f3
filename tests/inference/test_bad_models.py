"""Whatever lies in the models folder: it is named as broken, and everything else goes on."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from spandrel.architectures.Compact import Compact

from inference.api import wire
from inference.api.commands import ConfigureWorker
from inference.api.config import EngineConfig
from inference.api.errors import InferenceError
from inference.api.jobs import ImagineJob
from inference.api.messages import JobFailed, JobFinished, WorkerReady
from inference.api.prompts.extra_networks import LoraTag
from inference.manage_models import verify_files
from inference.model_files.hashes import FileHashes
from inference.model_files.inspection import escape_unsendable
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from tests.inference.bad_models import write_bad_models
from tests.inference.worker.conftest import submission
from tests.inference.worker.test_main import worker

GOOD_LORA = {
    "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": (1, 32),
    "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight": (32, 1),
}


@pytest.fixture(scope="module")
def shelf(tiny_model, tmp_path_factory):
    """Give a models folder of 200 bad files and folders among good ones, its library, its log."""
    models = tmp_path_factory.mktemp("bad")
    bad_paths = write_bad_models(models, tiny_model / "tiny")
    shutil.copytree(tiny_model / "tiny", models / "checkpoints" / "zoo" / "good")
    lora = {name: torch.full(shape, 0.1) for name, shape in GOOD_LORA.items()}
    save_file(lora, models / "loras" / "zinc.safetensors")
    save_file({"emb_params": torch.ones(1, 32)}, models / "embeddings" / "zest.safetensors")
    compact = Compact(num_feat=8, num_conv=2, upscale=2)
    save_file(compact.state_dict(), models / "upscalers" / "zoom.safetensors")
    config = EngineConfig(
        model="good", models_dir=str(models), cache_dir=str(tmp_path_factory.mktemp("cache"))
    )
    library = ModelLibrary(config, torch.device("cpu"), torch.float32)
    heard = logging.getLogger("inference.model_files.inspection")
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append
    heard.addHandler(handler)
    try:
        infos = library.list_models()
        library.get_checkpoint("")
    finally:
        heard.removeHandler(handler)
    said = [record.getMessage() for record in records]
    return SimpleNamespace(
        models=models, config=config, library=library, bad=bad_paths, said=said, infos=infos
    )


def model_name(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def test_what_is_said_can_be_written_to_any_log(shelf):
    assert all(line.isprintable() and line.encode() for line in shelf.said)


def test_there_are_two_hundred(shelf):
    assert len(shelf.bad) >= 200


def test_each_is_named_as_broken_and_left_out(shelf):
    offered = {info.name for info in shelf.infos}

    names = {model_name(path) for path in shelf.bad}
    said_names = {
        name
        for name in names
        if any(f": {escape_unsendable(name)} (" in line for line in shelf.said)
    }
    assert (names - said_names, names & offered) == (set(), set())
    assert len(shelf.said) == len(shelf.bad)


def test_the_good_ones_beside_them_are_offered_and_run(shelf, run_operation):
    assert {"good", "zinc", "zoom"} <= {info.name for info in shelf.infos}
    job = ImagineJob(prompt="a zest apple <lora:zinc:1>", steps=1, seed=1)
    context = OperationContext(shelf.library, max_pixels=1 << 20)

    result = run_operation(OPERATIONS[job.kind](job, {}, context), library=shelf.library)

    assert result.images[0].image.size == (64, 64)
    assert shelf.library.upscalers.get_upscaler("zoom").scale == 2


def test_one_that_is_asked_for_is_answered_in_words(shelf):
    ways = {
        "loras": lambda name: shelf.library.active_loras("good", [LoraTag(name)]),
        "upscalers": shelf.library.upscalers.get_upscaler,
    }
    for path in shelf.bad:
        place = path.relative_to(shelf.models).parts[0]
        if place == "embeddings" or path.name.startswith("a "):
            continue
        ask = ways.get(place, shelf.library.get_checkpoint)
        with pytest.raises(InferenceError) as caught:
            ask(model_name(path))
        assert isinstance(json.dumps(caught.value.notice.to_json()), str), path


def test_a_worker_starts_among_them_and_works(shelf, tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "photo.png")
    config = EngineConfig(
        model="good",
        models_dir=str(shelf.models),
        cache_dir=str(tmp_path),
        outbox=str(tmp_path / "outbox"),
        device="cpu",
    )
    with worker() as running:
        wire.write_message(running.stdin, ConfigureWorker(config=config))
        ready = wire.read_message(running.stdout)
        assert isinstance(ready, WorkerReady)
        assert {info.name for info in ready.models} == {info.name for info in shelf.infos}
        wire.write_message(running.stdin, submission("a", tmp_path / "photo.png"))
        event = wire.read_message(running.stdout)
        while not isinstance(event, JobFinished | JobFailed):
            event = wire.read_message(running.stdout)
        assert isinstance(event, JobFinished)


def test_models_verify_names_them_too(shelf, tmp_path):
    lines, failures = verify_files(shelf.models, FileHashes(tmp_path / "hashes.json"))

    broken = [line for line in lines if line.startswith("BROKEN")]
    assert len(broken) == failures
    for path in shelf.bad:
        is_sound = path.name.startswith(("half", "line"))  # but for its name
        if not is_sound and path.parent.name in ("checkpoints", "deep", "loras"):
            assert any(str(path.relative_to(shelf.models)) in line for line in broken), path
