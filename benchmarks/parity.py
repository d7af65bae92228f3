"""How far pictures differ: in a batch and alone, and from diffusers' own pipeline (float32).

`python -m benchmarks parity`. The comparisons are the tests' own; this prints their figures.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from benchmarks.table import show
from inference.api.config import EngineConfig
from inference.engine.engine import Engine, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.engine.work import DenoiseWork, JobResult, Operation, WorkRequest
from inference.model_library import ModelLibrary

ROWS = (
    ("Euler", 20, 0.6, 7.0),
    ("Euler a", 12, 0.9, 3.5),
    ("DDIM", 15, 0.4, 9.0),
    ("Heun", 8, 0.75, 7.0),
    ("DPM++ 2M", 20, 1.0, 5.0),
    ("DPM++ SDE", 6, 0.7, 6.0),
    ("LMS", 16, 0.8, 7.0),
    ("UniPC", 10, 0.5, 4.0),
)


def paint(number: int, latent: torch.Tensor) -> DenoiseWork:
    """Make one row of the batch."""
    sampler, steps, strength, guidance = ROWS[number]
    return DenoiseWork(
        model="starter",
        width=128,
        height=128,
        prompt="red apple noto style",
        negative_prompt="",
        steps=steps,
        guidance=guidance,
        sampler=sampler,
        schedule="Automatic",
        seed=number,
        latent=latent,
        strength=strength,
        decode=False,
    )


def latents(library: ModelLibrary, works: Sequence[DenoiseWork]) -> torch.Tensor:
    """Run works as separate jobs of one engine and return their latents."""

    found: dict[int, torch.Tensor] = {}

    def asking(number: int, work: DenoiseWork) -> Operation:
        results = yield WorkRequest(works=(work,))
        found[number] = results[0].latent
        return JobResult()

    engine = Engine(Runner(library, {}), Scheduler(len(works), aux_batch_limit(len(works), 1)))
    for number, work in enumerate(works):
        engine.add_job(str(number), 1, asking(number, work))
    while not engine.is_idle:
        engine.step()
    return torch.stack([found[number] for number in range(len(works))])


def main() -> None:
    """Compare and print."""
    library = ModelLibrary(EngineConfig(), torch.device("cpu"), torch.float32)
    model = library.get_checkpoint("")
    start = torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(0))
    works = [paint(number, start) for number in range(len(ROWS))]
    alone = torch.cat([latents(library, [work]) for work in works])
    together = latents(library, works)
    with torch.inference_mode():
        scale = model.vae.config.scaling_factor
        images = [model.vae.decode(found / scale).sample for found in (alone, together)]
    difference = (images[0] - images[1]).abs().flatten(1).amax(1) / 2
    show(
        "A batch of 8 against each job alone, starter model, float32",
        ("sampler", "steps", "strength", "guidance", "largest difference, of the range"),
        [(*row, f"{float(value):.1e}") for row, value in zip(ROWS, difference, strict=True)],
    )
