"""Folders of tiny flow checkpoints, an engine over them, and diffusers' pipelines beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch

from inference.api.config import EngineConfig
from inference.engine.engine import Engine, RunCompleted, RunFailed, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.engine.work import DenoiseWork, JobResult, WorkRequest
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from tests.inference.flow.flow_checkpoints import CHECKPOINTS


@pytest.fixture(scope="session")
def flow_models(tmp_path_factory) -> Path:
    """Give a models folder with a checkpoint of each family."""
    shelf = tmp_path_factory.mktemp("flow-models")
    for name, save in CHECKPOINTS.items():
        save(shelf / name)
    return shelf


@pytest.fixture(scope="session")
def flow_library(flow_models, tiny_model) -> ModelLibrary:
    """Give the flow checkpoints behind a worker's names, in float32 on the processor."""
    (flow_models / "tiny").symlink_to(tiny_model / "tiny", target_is_directory=True)
    config = EngineConfig(
        model="tiny", models_dir=str(flow_models), cache_dir=str(flow_models / "cache")
    )
    return ModelLibrary(config, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="session")
def load_pipeline(flow_models) -> Callable[..., Any]:
    """Load diffusers' own pipeline of a checkpoint, of its kind or another class."""

    def load(name: str, pipeline_class: Any = diffusers.DiffusionPipeline) -> Any:
        pipeline = pipeline_class.from_pretrained(flow_models / name)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    return load


@pytest.fixture(scope="session")
def denoise_rows(flow_library) -> Callable[..., list[torch.Tensor]]:
    """Denoise works in one engine; give their latents [C, h, w]."""

    def denoise(*works: DenoiseWork, rows: int = 8) -> list[torch.Tensor]:
        def ask_all():
            results = yield WorkRequest(works=works)
            return JobResult(text=[result.latent for result in results])

        engine = Engine(Runner(flow_library, {}), Scheduler(rows, aux_batch_limit(rows, 1)))
        reports = engine.add_job("job", 1, ask_all())
        while True:
            for report in reports:
                if isinstance(report, RunFailed):
                    raise report.error
                if isinstance(report, RunCompleted):
                    return report.result.text
            reports = engine.step()

    return denoise


@pytest.fixture(scope="session")
def run_flow_job(run_operation, flow_library):
    """Run a job by its operation on the flow checkpoints."""
    context = OperationContext(flow_library, max_pixels=1024 * 1024)

    def run(job, **images):
        job.check_images(images)
        return run_operation(OPERATIONS[job.kind](job, images, context), library=flow_library)

    return run
