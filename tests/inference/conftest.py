"""A tiny checkpoint of the real classes with random weights, and an engine that runs whole jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel

from inference.api.config import EngineConfig
from inference.api.jobs import Job
from inference.engine.engine import Engine, RunCompleted, RunFailed, RunProgressed, aux_batch_limit
from inference.engine.runner import AuxExecutor, Runner
from inference.engine.scheduler import Scheduler
from inference.engine.work import JobResult, Operation
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from inference.worker.executors import build_executors
from tests.inference.tiny_checkpoints import (  # noqa: F401
    make_parts,
    original_state,
    tiny_configs,
    write_original,
)

WORDS = ("a", "red", "apple", "cat", "on", "white", "background", ",", "and", "sky")
WIDTH = 32

#: The numbers of Stable Diffusion 1's own noise table.
SCHEDULER = {
    "_class_name": "DDIMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """Give a models folder with the checkpoints `tiny` and `tiny-inpaint` (nine channels)."""
    shelf = tmp_path_factory.mktemp("models")
    for name, channels in (("tiny", 4), ("tiny-inpaint", 9)):
        with torch.random.fork_rng():
            torch.manual_seed(channels)
            save_checkpoint(shelf / name, channels)
    return shelf


@pytest.fixture(scope="session")
def tiny_library(tiny_model) -> ModelLibrary:
    """Give the tiny checkpoints behind the names of a worker, in float32 on the processor."""
    config = EngineConfig(model="tiny", models_dir=str(tiny_model), cache_dir=str(tiny_model))
    return ModelLibrary(config, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="session")
def studio(tiny_library) -> OperationContext:
    """Give the surroundings of an operation over the tiny checkpoints."""
    return OperationContext(tiny_library, max_pixels=1024 * 1024)


@pytest.fixture(scope="session")
def make_engine(tiny_library) -> Callable[..., Engine]:
    """Make engines over the tiny checkpoints, unless told another library's.

    `hands` adds or replaces lanes.
    """

    def make(
        rows: int = 4,
        slices: int = 4,
        hands: Mapping[str, AuxExecutor] | None = None,
        library: ModelLibrary = tiny_library,
    ) -> Engine:
        every = {**build_executors(library), **(hands or {})}
        return Engine(Runner(library, every), Scheduler(rows, aux_batch_limit(rows, slices)))

    return make


@pytest.fixture(scope="session")
def run_operation(make_engine) -> Callable[..., JobResult]:
    """Drive an operation to its end; an error of the operation is raised here."""

    def run(
        operation: Operation,
        *,
        hands: Mapping[str, AuxExecutor] | None = None,
        progress: list[tuple[int, int]] | None = None,
        **over: ModelLibrary,
    ) -> JobResult:
        engine = make_engine(hands=hands, **over)
        reports = engine.add_job("job", 1, operation)
        while True:
            for report in reports:
                match report:
                    case RunCompleted(_, outcome):
                        return outcome
                    case RunFailed(_, error):
                        raise error
                    case RunProgressed(run) if progress is not None:
                        progress.append((run.steps_done, run.steps_total))
            reports = engine.step()

    return run


@pytest.fixture(scope="session")
def run_job(run_operation, studio) -> Callable[..., JobResult]:
    """Run a job over its pictures to its outcome, as a worker would."""

    def run(job: Job, images: Mapping[str, Image.Image] | None = None, **more: object) -> JobResult:
        job.check_images(images or {})
        return run_operation(OPERATIONS[job.kind](job, images or {}, studio), **more)

    return run


def save_checkpoint(folder: Path, channels: int) -> None:
    """Write a whole checkpoint in diffusers' layout; its pictures are 64 pixels a side."""
    _unet(channels).save_pretrained(folder / "unet")
    _vae().save_pretrained(folder / "vae")
    _text_encoder().save_pretrained(folder / "text_encoder")
    _write(folder / "scheduler" / "scheduler_config.json", SCHEDULER)
    _write(folder / "tokenizer" / "tokenizer.json", _tokenizer())


def _unet(channels: int) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=channels,
        out_channels=4,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
    )


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=64,
    )


def _text_encoder() -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=len(WORDS) + 3,
        hidden_size=WIDTH,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=77,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    return CLIPTextModel(config)


def _tokenizer() -> dict[str, object]:
    """Describe a word-level tokenizer of 16 positions."""
    names = ("<unk>", "<start>", "<end>", *WORDS)
    ends = {"<start>": 1, "<end>": 2}
    return {
        "version": "1.0",
        "truncation": {
            "direction": "Right",
            "max_length": 16,
            "strategy": "LongestFirst",
            "stride": 0,
        },
        "padding": {
            "strategy": {"Fixed": 16},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 2,
            "pad_type_id": 0,
            "pad_token": "<end>",
        },
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<start>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "<end>", "type_id": 0}},
            ],
            "pair": [
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {
                name: {"id": name, "ids": [number], "tokens": [name]}
                for name, number in ends.items()
            },
        },
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {name: number for number, name in enumerate(names)},
            "unk_token": "<unk>",
        },
    }


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
