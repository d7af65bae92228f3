"""`models`: what the workers can run, and what lies in the models folder."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable

from bot.app import engine_config
from bot.settings import Settings
from bot.worker_plan import plan_workers
from inference.api.messages import ModelInfo, StartFailed, WorkerReady
from inference.api.workers.environment import child_environment, module_command
from inference.api.workers.process import WorkerProcess

#: How a checkpoint fits the worker's device, by `ModelInfo.fit`.
FIT_WORDS = {
    "whole": "fits whole",
    "parts": "fits, its parts in turn",
    "blocks": "fits block by block, slowly",
    "not": "DOES NOT FIT this device's memory",
}


async def list_models(settings: Settings) -> int:
    """Ask a worker what it can run and print it; return 0, or 1 when no worker starts."""
    plan = await plan_workers(settings.model_copy(update={"workers": 1}))
    (config,) = plan.configure_workers(engine_config(settings))
    process = await WorkerProcess.start(config, "models")
    try:
        first = await anext(aiter(process.read_events()), None)
    finally:
        await process.stop(0)
    if not isinstance(first, WorkerReady):
        reason = first.reason if isinstance(first, StartFailed) else "The worker did not start."
        sys.stderr.write(f"{reason}\n")
        return 1
    for model in first.models:
        size = f"{model.size} px" if model.kind == "diffusion" else f"{model.size}x"
        size = size if model.size else ""
        description = FIT_WORDS.get(model.fit, "") or model.about
        sys.stdout.write(f"{model.kind:<10} {model.name:<28} {size:<8} {description}\n")
    sys.stdout.flush()
    return await manage_models(settings, "files")


async def manage_models(settings: Settings, action: str, *arguments: str) -> int:
    """Let a process of its own look after the models folder; return its exit code.

    `action` is `files`, `verify`, `import` or `pull`; files are read there, never in the bot.
    """
    config = engine_config(settings)
    options = ["--models", config.models_dir, "--cache", config.cache_dir]
    options += ["--hub", settings.hub_url]
    if settings.hub_token_file is not None:
        options += ["--hub-token-file", str(settings.hub_token_file.expanduser())]
    # Online, as nothing else of Easel's is; and of no folder but ours is anything imported.
    environment = child_environment(os.environ, HF_HUB_OFFLINE="0")
    process = await asyncio.create_subprocess_exec(
        *module_command("inference.manage_models", *options, action, *arguments),
        env=environment,
    )
    return await process.wait()


def describe_fits(models: Iterable[ModelInfo]) -> str:
    """Say which checkpoints the worker's device can run, and how."""
    names_by_fit = {fit: [model.name for model in models if model.fit == fit] for fit in FIT_WORDS}
    return "; ".join(
        f"{', '.join(names)}: {FIT_WORDS[fit]}" for fit, names in names_by_fit.items() if names
    )
