"""`models`: what the workers can run."""

from __future__ import annotations

import sys

from bot.house import engine_config
from bot.settings import Settings
from inference.events import Ready, Troubled
from inference.service.process import WorkerProcess


async def list_models(settings: Settings) -> int:
    """Ask a worker what it can run and print it; return 0, or 1 when no worker starts."""
    process = await WorkerProcess.start(engine_config(settings), "models")
    try:
        first = await anext(aiter(process.events()), None)
    finally:
        await process.stop(0)
    if not isinstance(first, Ready):
        reason = first.reason if isinstance(first, Troubled) else "The worker did not start."
        sys.stderr.write(reason + "\n")
        return 1
    for model in first.models:
        size = f"{model.size} px" if model.kind == "diffusion" else f"{model.size}x"
        sys.stdout.write(f"{model.kind:<10} {model.name:<28} {size:<8} {model.about}\n")
    return 0
