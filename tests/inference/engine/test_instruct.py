"""Checkpoints of eight channels (InstructPix2Pix), held to diffusers' own pipeline."""

from __future__ import annotations

import dataclasses

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from inference.api.config import EngineConfig
from inference.api.errors import JobError
from inference.api.infotext.readers import parse_web_ui
from inference.api.infotext.to_job import job_from_info
from inference.api.jobs import (
    ImagineJob,
    Img2ImgJob,
    LoopbackJob,
    OutpaintJob,
    UpscaleJob,
)
from inference.api.jobs.price import list_denoise_passes
from inference.diffusion.model import DiffusionModel
from inference.engine.engine import Engine, RunCompleted, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.engine.work import DenoiseWork, JobResult, WorkRequest
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from inference.sampling.noise import NoiseSource
from inference.sampling.step_plan import plan_noise_levels
from tests.inference.conftest import save_checkpoint

TOLERANCE = 1e-4  # of a latent's numbers, which are about 1
STEPS = 10
NEGATIVE = "cat"
#: Rows that share their calls, with the scales of words and picture.
ROWS = {
    "red apple": (7.5, 1.5),
    "a cat": (3.0, 0.6),
    "white sky": (1.0, 2.0),
    "background": (5.0, 1.0),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    shelf = tmp_path_factory.mktemp("models")
    with torch.random.fork_rng():
        torch.manual_seed(8)
        save_checkpoint(shelf / "edit", 8)
    config = EngineConfig(model="edit", models_dir=str(shelf), cache_dir=str(shelf / "cache"))
    return ModelLibrary(config, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def source():
    values = np.random.default_rng(7).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((64, 64), Image.Resampling.BICUBIC)


def edit(prompt, source, seed=3, **more):
    guidance, image_guidance = ROWS[prompt]
    settings = {
        "model": "edit",
        "width": 64,
        "height": 64,
        "prompt": prompt,
        "negative_prompt": NEGATIVE,
        "steps": STEPS,
        "guidance": guidance,
        "image_guidance": image_guidance,
        "sampler": "Euler",
        "schedule": "Automatic",
        "seed": seed,
        "image": source,
        "strength": 1.0,
        "exact_steps": False,
    }
    return DenoiseWork(**settings | more)


def run(library, works):
    def asking(work):
        (result,) = yield WorkRequest(works=(work,))
        return JobResult(text=result.latent)

    engine = Engine(Runner(library, {}), Scheduler(8, aux_batch_limit(8, 1)))
    ends, reports = {}, []
    for number, work in enumerate(works):
        reports += engine.add_job(str(number), 1, asking(work))
    while not engine.is_idle:
        reports = engine.step()
        ends |= {r.run.job_id: r.result.text for r in reports if isinstance(r, RunCompleted)}
    return [ends[str(number)] for number in range(len(works))]


def theirs(library, source, prompt, seed=3):
    model = library.get_checkpoint("edit")
    scheduler = diffusers.EulerDiscreteScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        timestep_spacing="linspace",
    )
    pipeline = diffusers.StableDiffusionInstructPix2PixPipeline(
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
    sigma = plan_noise_levels("Euler", "Automatic", STEPS, 1.0, model.table, exact=False).sigmas[0]
    start = model.encode_images([source]) + NoiseSource(seed, (4, 8, 8)).initial_noise() * sigma
    # The pipeline leaves out the unconditional parts below 1, where they have a part all the same.
    pipeline.__class__ = type(
        "Pipeline",
        (diffusers.StableDiffusionInstructPix2PixPipeline,),
        {"do_classifier_free_guidance": True},
    )
    guidance, image_guidance = ROWS[prompt]
    return pipeline(
        image=source,
        prompt_embeds=encoder.encode_pooled(prompt).crossattn[None],
        negative_prompt_embeds=encoder.encode_pooled(NEGATIVE).crossattn[None],
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        image_guidance_scale=image_guidance,
        latents=start / sigma,
        output_type="latent",
    ).images[0]


# diffusers' schedulers still hand tensors to numpy the old way
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_edits_equal_the_pipeline_alone_and_together(library, source):
    works = [edit(prompt, source) for prompt in ROWS]
    together = run(library, works)
    for prompt, work, latent in zip(ROWS, works, together, strict=True):
        reference = theirs(library, source, prompt)
        (alone,) = run(library, [work])
        assert float((alone - reference).abs().max()) <= TOLERANCE, prompt
        assert float((latent - reference).abs().max()) <= TOLERANCE, prompt


@pytest.mark.parametrize("field", ["image_guidance", "guidance"])
def test_both_scales_reach_the_picture(library, source, field):
    work = edit("red apple", source)
    latents = run(library, [work, dataclasses.replace(work, **{field: 2.2})])
    assert float((latents[0] - latents[1]).abs().max()) > 100 * TOLERANCE


def test_the_picture_is_seen_when_a_latent_is_begun_from(library, source):
    model = library.get_checkpoint("edit")
    latent = model.encode_images([source])[0]
    plain, given = run(
        library, [edit("a cat", source), edit("a cat", source, latent=latent.clone())]
    )
    assert float((plain - given).abs().max()) <= TOLERANCE


def test_mixed_rows_of_many_prompts_and_samplers_equal_each_alone(library, source):
    works = [
        dataclasses.replace(
            edit("red apple", source, sampler="DPM++ 2M"), prompt="red apple AND a cat :0.4"
        ),
        edit("a cat", source, sampler="Heun", strength=0.6, exact_steps=True),
        edit("white sky", source, sampler="Euler a CFG++", guidance_rescale=0.7),
        edit("background", source.transpose(Image.Transpose.FLIP_LEFT_RIGHT), seed=9),
    ]
    for work, latent in zip(works, run(library, works), strict=True):
        (alone,) = run(library, [work])
        assert float((alone - latent).abs().max()) <= TOLERANCE


@pytest.fixture
def start(library, source):
    def begin(job):
        images = {"image": source} if job.required_images else {}
        return OPERATIONS[job.kind](job, images, OperationContext(library))

    return begin


@pytest.mark.parametrize(
    "job",
    [
        ImagineJob(prompt="a cat"),
        OutpaintJob(left=64),
        LoopbackJob(),
        UpscaleJob(mode="redraw", upscaler="lanczos"),
    ],
    ids=lambda job: job.kind,
)
def test_other_jobs_are_refused_with_words(start, job):
    with pytest.raises(
        JobError, match=rf"edit .*InstructPix2Pix.* img2img and inpaint, no {job.kind}"
    ):
        next(start(job))


def test_a_repaint_writes_its_scale_and_is_read_back(start, library, source, monkeypatch):
    entries, real = [], DiffusionModel.denoise

    def count(self, x, *rest):
        entries.append(len(x))
        return real(self, x, *rest)

    monkeypatch.setattr(DiffusionModel, "denoise", count)
    job = Img2ImgJob(prompt="a cat", seed=1, steps=3, width=64, height=64, model="edit")
    engine = Engine(Runner(library, {}), Scheduler(8, aux_batch_limit(8, 1)))
    reports = engine.add_job("a", 1, start(job))
    while not engine.is_idle:
        reports = engine.step()
    (text,) = [r.result.images[0].infotext for r in reports if isinstance(r, RunCompleted)]

    assert "CFG scale: 7, Image CFG scale: 1.5, Seed: 1" in text
    assert job_from_info(parse_web_ui(text), library.list_models(), job_type=Img2ImgJob).job == job
    (painting,) = list_denoise_passes(job, (64, 64), 64, is_instructed=True)
    assert (entries, painting.rows) == ([3, 3, 3], 9)


def test_its_role_is_told_without_loading_it(library):
    assert {info.name: info.role for info in library.list_models()}["edit"] == "instruct"
