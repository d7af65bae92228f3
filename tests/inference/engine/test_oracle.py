"""Our img2img against diffusers' own pipeline: same weights, same seed, float32."""

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from inference.api.config import EngineConfig
from inference.engine.engine import Engine, RunCompleted, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.engine.work import DenoiseWork, JobResult, WorkRequest
from inference.model_library import ModelLibrary

#: Of the range of a picture, which is 2 wide in the network's own −1..1.
TOLERANCE = 2e-3
STEPS = 12
SEED = 41
PROMPT, NEGATIVE = "red apple", "cat"

#: How our settings and diffusers' come to the same noise levels. A1111's Euler runs one step more
#: than its strength says; the exact form lays the same levels for DDIM.
CASES = {
    "Euler": (
        {"strength": 0.7, "steps": 20, "exact_steps": False},
        diffusers.EulerDiscreteScheduler,
        {"timestep_spacing": "linspace", "steps_offset": 1},
        {"strength": 0.75, "num_inference_steps": 20},
    ),
    "DDIM": (
        {"strength": 0.75, "steps": 15, "exact_steps": True},
        diffusers.DDIMScheduler,
        {"timestep_spacing": "leading", "steps_offset": 1},
        {"strength": 0.75, "num_inference_steps": 20},
    ),
}


@pytest.fixture(scope="module", params=["tiny", "starter"])
def library(request, tiny_model):
    config = EngineConfig(model=request.param, models_dir=str(tiny_model))
    return ModelLibrary(config, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def source(library):
    side = library.natural_size("")
    values = np.random.default_rng(7).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((side, side), Image.Resampling.BICUBIC)


def ours(library, source, sampler, settings):
    def asking():
        (result,) = yield WorkRequest(
            works=(
                DenoiseWork(
                    model=library.resolve_name(""),
                    width=source.width,
                    height=source.height,
                    prompt=PROMPT,
                    negative_prompt=NEGATIVE,
                    guidance=7.0,
                    sampler=sampler,
                    schedule="Automatic",
                    seed=SEED,
                    image=source,
                    **settings,
                ),
            )
        )
        return JobResult(text=result.latent)

    engine = Engine(Runner(library, {}), Scheduler(4, aux_batch_limit(4, 1)))
    reports = engine.add_job("a", 1, asking())
    while not engine.is_idle:
        reports = engine.step()
    (end,) = [report for report in reports if not hasattr(report, "steps")][-1:]
    assert isinstance(end, RunCompleted), end
    return end.result.text


def theirs(library, source, scheduler_type, options, settings):
    model = library.get_checkpoint("")
    scheduler = scheduler_type(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        **(
            {"clip_sample": False, "set_alpha_to_one": False}
            if "DDIM" in str(scheduler_type)
            else {}
        ),
        **options,
    )
    pipeline = diffusers.StableDiffusionImg2ImgPipeline(
        vae=model.vae,
        text_encoder=model.text_encoders.models[0],
        tokenizer=None,
        unet=model.unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    encoder = model.text_encoders.build_encoder(1, "Original")
    return pipeline(
        image=model.encode_images([source]),
        prompt_embeds=encoder.encode_pooled(PROMPT).crossattn[None],
        negative_prompt_embeds=encoder.encode_pooled(NEGATIVE).crossattn[None],
        guidance_scale=7.0,
        generator=torch.Generator().manual_seed(SEED),
        output_type="latent",
        **settings,
    ).images[0]


# diffusers' schedulers still hand tensors to numpy the old way
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("sampler", CASES)
def test_img2img_equals_the_pipeline(library, source, sampler):
    settings, scheduler_type, options, their_settings = CASES[sampler]
    model = library.get_checkpoint("")
    latents = torch.stack(
        [
            ours(library, source, sampler, settings),
            theirs(library, source, scheduler_type, options, their_settings),
        ]
    )
    with torch.inference_mode():
        mine, reference = model.vae.decode(latents / model.vae.config.scaling_factor).sample
    worst = float((mine - reference).abs().max()) / 2
    assert worst <= TOLERANCE, f"differs by {worst:.2e} of the range"
