"""What the engine's benchmark compares: a job through the engine, and through diffusers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import diffusers
import torch
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel

from inference.api.config import MAX_BATCH, EngineConfig
from inference.diffusion.model import PIXELS_PER_CELL, DiffusionModel
from inference.diffusion.single_file import CONFIGS_DIR
from inference.diffusion.text_encoders import TextEncoders
from inference.engine.batch_size import BatchSizer
from inference.engine.engine import Engine, RunCompleted, RunFailed, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.engine.work import DenoiseWork, JobResult, Operation, WorkRequest
from inference.model_files.files import Weights
from inference.model_library import ModelLibrary
from inference.prompts.cache import ConditioningCache
from inference.prompts.tokenizer import load_tokenizer
from inference.sampling.noise_table import NoiseTable

SAMPLE = Path(__file__).parent.parent / "bot" / "samples" / "red-apple.png"
PROMPTS = ("strawberry", "green apple", "red heart", "orange", "pizza", "cat face", "tree", "bus")
#: Samplers of one and of two network calls a step, with and without noise.
MIXED = (("Euler", 12), ("Euler a", 16), ("DPM++ 2M", 20), ("Heun", 8), ("DDIM", 10), ("LMS", 14))
STRENGTH = 0.5
#: What is learnt of calls' times, in all runs together, as a worker learns it.
PACE = BatchSizer()


class OneModelLibrary(ModelLibrary):
    """A library of one model, without a models folder behind it."""

    def __init__(self, model: DiffusionModel) -> None:
        """Take the only model."""
        super().__init__(EngineConfig(), model.device, model.dtype)
        self._model = model

    def get_checkpoint(self, name: str) -> DiffusionModel:
        """Give the model, whatever its name."""
        return self._model

    def free_memory(self, weights: Weights | None) -> bool:
        """Never help: what does not fit is not to be measured."""
        return False


@dataclass
class Stopwatch:
    """Sums the time spent in calls."""

    device: torch.device
    seconds: float = 0.0
    calls: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def watching(self, model: DiffusionModel) -> Iterator[None]:
        """Time every call of a model's networks while the block lasts."""
        watched = [(model.unet, "forward"), (model.vae, "encode"), (model.vae, "decode")]
        watched += [(text, "forward") for text in model.text_encoders.models]
        for owner, name in watched:
            setattr(owner, name, self._timed(name, getattr(owner, name)))
        try:
            yield
        finally:
            for owner, name in watched:
                delattr(owner, name)

    def _timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **settings: Any) -> Any:
            wait(self.device)
            begin = time.perf_counter()
            result = call(*arguments, **settings)
            wait(self.device)
            self.seconds += time.perf_counter() - begin
            self.calls[name] = self.calls.get(name, 0) + 1
            return result

        return run


def wait(device: torch.device) -> None:
    """Let a graphics card finish."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def random_sd1(device: torch.device, dtype: torch.dtype) -> DiffusionModel:
    """Make a model of Stable Diffusion 1's size with random weights."""
    config = json.loads((CONFIGS_DIR / "sd1.json").read_text(encoding="utf-8"))
    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel.from_config(config["unet"])
        vae = diffusers.AutoencoderKL.from_config(config["vae"])
        text = CLIPTextModel(CLIPTextConfig(**config["text_encoders"][0]))
    text = filled(text, device, torch.float32)
    length = text.config.max_position_embeddings
    text.embeddings.position_ids = torch.arange(length, device=device).expand(1, -1)
    tokenizer = replace(load_tokenizer(CONFIGS_DIR / "tokenizer"), pad=config["padding"][0])
    return DiffusionModel(
        name="random",
        unet=filled(unet, device, dtype).to(memory_format=torch.channels_last),
        vae=filled(vae, device, dtype).to(memory_format=torch.channels_last),
        text_encoders=TextEncoders((tokenizer,), (text,)),
        table=NoiseTable.from_config(config["scheduler"], family="sd"),
        prediction="epsilon",
        size=512,
        device=device,
        dtype=dtype,
    )


def filled(module: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """Fill a module of the meta device with small random numbers."""
    module = module.to(dtype).to_empty(device=device).requires_grad_(False).eval()
    generator = torch.Generator(device).manual_seed(0)
    for parameter in module.parameters():
        parameter.normal_(0, 0.02, generator=generator)
    return module


def starter(device: torch.device, dtype: torch.dtype, *, compiling: bool = False) -> DiffusionModel:
    """Load the model that ships with Easel; compiled, it is compiled for every size at once."""
    model = ModelLibrary(EngineConfig(compile=compiling), device, dtype).get_checkpoint("")
    if not isinstance(model, DiffusionModel):
        raise TypeError("the starter is of another family")
    if model.fast is not None:
        cells, tokens = model.size // PIXELS_PER_CELL, model.text_encoders.tokenizer.length
        text = torch.zeros(1, tokens, model.unet.config.cross_attention_dim, device=device)
        for size in model.fast.sizes:
            latents = torch.zeros(size, model.latent_channels, cells, cells, device=device)
            while size not in model.fast.ready:
                model.denoise(latents, torch.ones(size, device=device), text.expand(size, -1, -1))
                time.sleep(1)
    return model


def paint(model: DiffusionModel, number: int, side: int, **more: Any) -> DenoiseWork:
    """Make an img2img work, each with a prompt of its own."""
    settings: dict[str, Any] = {
        "model": model.name,
        "width": side,
        "height": side,
        "prompt": f"{PROMPTS[number % len(PROMPTS)]} {number}",
        "negative_prompt": "",
        "steps": 8,
        "guidance": 7.0,
        "sampler": "Euler",
        "schedule": "Automatic",
        "seed": number,
        "image": image(side),
        "strength": STRENGTH,
    }
    return DenoiseWork(**(settings | more))


def image(side: int) -> Image.Image:
    """Give the picture that is painted over."""
    return Image.open(SAMPLE).convert("RGB").resize((side, side))


def run(
    model: DiffusionModel,
    works: Sequence[DenoiseWork],
    due: Sequence[float] = (),
    rows: int = MAX_BATCH,
    pace: BatchSizer | None = PACE,
) -> list[float]:
    """Run each work as a job of its own; give the seconds from its arrival to its end."""
    scheduler = Scheduler(rows, aux_batch_limit(rows, 1), batch_sizer=pace)
    engine = Engine(_runner(model), scheduler)
    begin, ends = time.perf_counter(), [0.0] * len(works)
    waiting = list(range(len(works)))
    arrivals = list(due) or [0.0] * len(works)
    while waiting or not engine.is_idle:
        now = time.perf_counter() - begin
        while waiting and arrivals[waiting[0]] <= now:
            number = waiting.pop(0)
            engine.add_job(str(number), 1, _asking(works[number]))
        if engine.is_idle:
            time.sleep(max(0.0, arrivals[waiting[0]] - now))
            continue
        for report in engine.step():
            if isinstance(report, RunFailed):
                raise report.error
            if isinstance(report, RunCompleted):
                number = int(report.run.job_id)
                ends[number] = time.perf_counter() - begin - arrivals[number]
    return ends


@lru_cache(maxsize=1)
def _runner(model: DiffusionModel) -> Runner:
    """Give the one runner of a model: it counts a size's operations once, as in a worker."""
    return Runner(OneModelLibrary(model), {})


def _asking(work: DenoiseWork) -> Operation:
    yield WorkRequest(works=(work,))
    return JobResult()


class Pipeline:
    """The same job through diffusers' own pipeline."""

    def __init__(self, model: DiffusionModel) -> None:
        scheduler = diffusers.EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
        )
        self._model = model
        self._pipeline = diffusers.StableDiffusionImg2ImgPipeline(
            vae=model.vae,
            text_encoder=None,
            tokenizer=None,
            unet=model.unet,
            scheduler=scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        self._pipeline.set_progress_bar_config(disable=True)

    @torch.inference_mode()
    def __call__(self, work: DenoiseWork) -> None:
        """Paint one work; its prompts are encoded anew, by the engine's own encoder."""
        words = replace(self._model.text_encoders, cache=ConditioningCache(0))
        encoder = words.build_encoder(1, "Original")
        dtype = self._model.dtype
        prompts = [
            encoder.encode_pooled(text).crossattn[None].to(dtype)
            for text in (work.prompt, work.negative_prompt)
        ]
        self._pipeline(
            image=work.image,
            prompt_embeds=prompts[0],
            negative_prompt_embeds=prompts[1],
            guidance_scale=work.guidance,
            num_inference_steps=round(work.steps / STRENGTH),
            strength=STRENGTH,
            generator=torch.Generator().manual_seed(work.seed),
        )


def seconds(model: DiffusionModel, work: Callable[[], object]) -> float:
    """Time something that is done when it returns."""
    wait(model.device)
    begin = time.perf_counter()
    work()
    wait(model.device)
    return time.perf_counter() - begin
